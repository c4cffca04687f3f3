/** Runs one seed: safety under faults, then liveness without, then the verdict. */
import type { Coverage } from './coverage.ts'
import { isDrained, verdictOf } from './verdict.ts'
import { World } from './world.ts'
import type { WorldOptions } from './world.ts'

/** Virtual milliseconds from the end of all faults until everything must be decided. */
const livenessMs = 60_000
/** A process that spins without letting time pass would never be late. */
const eventsMax = 200_000

export interface RunResult {
  readonly seed: number
  /** What did not hold; empty when all is well. */
  readonly violations: readonly string[]
  readonly coverage: Coverage
  readonly events: number
}

export async function runSeed(options: WorldOptions): Promise<RunResult> {
  const world = new World(options)
  const { scheduler } = world
  const violations: string[] = []
  await world.begin()
  const endOfFaults = scheduler.now + world.plan.safetyMs
  await scheduler.run(() => scheduler.now >= endOfFaults || scheduler.executed > eventsMax, Infinity)
  world.heal()
  let looked = 0
  const isDone = (): boolean => {
    if (scheduler.executed - looked < 20) return false
    looked = scheduler.executed
    if (looked > eventsMax) return true
    return world.quiet && isDrained(world) && world.running.some((streams) => streams.state().ready)
  }
  const reason = await scheduler.run(isDone, scheduler.now + livenessMs)
  if (reason !== 'done' || scheduler.executed > eventsMax) {
    violations.push(
      `liveness: not everything is decided (${reason}); last ends: ${world.lastEnds().join('; ')}`,
    )
  }
  const stuck = await world.stopAll()
  if (stuck.length > 0) violations.push(`liveness: ${stuck.join(', ')} did not stop in time`)
  violations.push(...(await verdictOf(world)))
  world.coverage.add('transactions timed out', world.broker.transactions.timedOut)
  for (const violation of violations) world.trace(`VIOLATION ${violation}`)
  return { seed: options.seed, violations, coverage: world.coverage, events: scheduler.executed }
}
