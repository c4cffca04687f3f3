/** How much chaos: a little in CI, as much as asked for by `npm run chaos`. */

const given = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise)

export interface ChaosOptions {
  /** How long faults go on. */
  readonly ms: number
  /** Decides requests, faults and pauses. */
  readonly seed: number
  readonly brokers: 1 | 3
  /** Processors when nothing is wrong. */
  readonly processes: number
  /** Where everything that processors log is kept; undefined: nowhere. */
  readonly logs: string | undefined
}

export const options: ChaosOptions = {
  ms: given('CHAOS_MINUTES', 1) * 60_000,
  seed: given('SEED', 1),
  brokers: given('CHAOS_BROKERS', 1) === 3 ? 3 : 1,
  processes: given('CHAOS_PROCESSES', 3),
  // Left out it is empty.
  logs: process.env['CHAOS_LOGS'] || undefined,
}
