/** How much the tests of this folder do: a little in CI, more by `npm run test:exactly-once`. */

export const isLong = process.env['LONG_FORM'] !== undefined
const given = (name: string, inCi: number, long: number): number =>
  Number(process.env[name] ?? (isLong ? long : inCi))

/** Decides requests, faults and pauses. */
export const seed = given('SEED', 1, 1)
/** Kills of the processor in one run. */
export const killCount = given('KILLS', 4, 20)
/** How long each fault lasts that can last longer. */
export const faultMs = given('SECONDS', 5, 30) * 1000
/** How long processes come and go in the port of Kafka's own test. */
export const eosMs = given('MINUTES', 0.5, 10) * 60_000
/** 3: that test has a Kafka of three brokers of its own. */
export const brokers = given('BROKERS', 1, 1) === 3 ? 3 : 1
/** A directory that keeps what the processes of that test log. */
export const logs = process.env['LOGS']
