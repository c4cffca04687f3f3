/** The ways to run the program: everything in one process, or each part alone beside others of its kind. */
export const processKinds = {
  start: 'run everything in one process until Ctrl-C or SIGTERM',
  gateway: 'run an HTTP gateway alone, beside others, on Kafka and PostgreSQL',
  processor: 'run the stream processor alone, on Kafka',
  sink: 'run a copier into PostgreSQL and Redis alone, beside others, on Kafka',
} as const

export type ProcessKind = keyof typeof processKinds

export function isProcessKind(text: string | undefined): text is ProcessKind {
  return text !== undefined && Object.hasOwn(processKinds, text)
}
