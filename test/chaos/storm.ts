/** Faults one after the other, a few at once, as the seed decides. */
import { systemClock } from '#core'
import { faults } from './faults.ts'
import type { Fault, FaultContext } from './faults.ts'
import type { Processor } from './processors.ts'

const atOnceMax = 2
const pauseMs = [500, 3000] as const

/** Resolves once the time is over and the last fault has ended; how many there were of each kind. Errors: of a fault. */
export async function storm(context: FaultContext, forMs: number): Promise<ReadonlyMap<string, number>> {
  const { random, processors, cluster } = context
  const counts = new Map<string, number>()
  const under = new Set<Fault>()
  const victims = new Set<Processor>()
  const running = new Set<Promise<void>>()
  const possible = faults.filter(({ brokersMin = 1 }) => cluster.nodes.length >= brokersMin)
  const failures: unknown[] = []
  const until = systemClock.now() + forMs
  while (systemClock.now() < until && failures.length === 0) {
    await systemClock.sleep(random.integer(...pauseMs))
    const fault = weighted(possible, random.next())
    // Not to wait for it: whatever came next would follow it without a pause.
    if ([...under].some(({ onBrokers }) => onBrokers)) continue
    if (fault.onBrokers === true) await Promise.all(running)
    if (under.size >= atOnceMax || under.has(fault)) continue
    const free = processors.running.filter((processor) => !victims.has(processor))
    const begun = fault.begin(context, free, new Set([...victims].map(({ name }) => name)))
    if (begun === undefined) continue
    const { victim, what, run } = begun
    under.add(fault)
    if (victim !== undefined) victims.add(victim)
    counts.set(fault.kind, (counts.get(fault.kind) ?? 0) + 1)
    context.tell(`${fault.kind}: ${what}`)
    const harm = async (): Promise<void> => {
      try {
        await run()
      } catch (error) {
        failures.push(error)
      } finally {
        under.delete(fault)
        if (victim !== undefined) victims.delete(victim)
      }
    }
    const ended = harm().finally(() => running.delete(ended))
    running.add(ended)
  }
  await Promise.all(running)
  if (failures.length > 0) throw failures[0]
  return counts
}

function weighted(possible: readonly Fault[], chance: number): Fault {
  let left = chance * possible.reduce((sum, { weight }) => sum + weight, 0)
  const [first] = possible
  for (const fault of possible) {
    left -= fault.weight
    if (left < 0) return fault
  }
  return first as Fault
}
