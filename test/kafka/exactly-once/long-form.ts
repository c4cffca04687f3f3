/** How much the tests of this folder do: a little in CI, more by `npm run test:exactly-once`. */

const isLong = process.env['LONG_FORM'] !== undefined
const given = (name: string, inCi: number, long: number): number =>
  Number(process.env[name] ?? (isLong ? long : inCi))

/** Decides requests, faults and pauses. */
export const seed = given('SEED', 1, 1)
/** Kills of the processor in one run. */
export const killCount = given('KILLS', 4, 20)
/** How long each fault lasts that can last longer. */
export const faultMs = given('SECONDS', 5, 30) * 1000
