/** Which of the test workers that run beside each other this process is, from 1 on; 0 in a global setup. */
export const testWorker = Number(process.env['VITEST_POOL_ID'] ?? 0)
