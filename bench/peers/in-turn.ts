/** Ours and the peer, measured one after the other in each repetition, so that what the machine does hits both. */
import type { Context, Measurement } from '../runner/bench.ts'
import type { Engine } from './engine.ts'

export interface Pair<T> {
  readonly ours: T
  readonly peer: T
}

/** One a repetition. */
export type Found<T> = Pair<readonly T[]>

/** @param tell what is said of one measurement while the next is made */
export async function inTurn<T>(
  { sizes, progress }: Context,
  engines: Pair<Engine>,
  measure: (engine: Engine, repetition: number) => Promise<T>,
  tell: (found: T) => string,
): Promise<Found<T>> {
  const found: Pair<T[]> = { ours: [], peer: [] }
  for (let repetition = 1; repetition <= sizes.repetitions; repetition++) {
    for (const side of ['ours', 'peer'] as const) {
      const one = await measure(engines[side], repetition)
      found[side].push(one)
      progress.say(`repetition ${repetition}/${sizes.repetitions}: ${engines[side].name} ${tell(one)}`)
    }
  }
  return found
}

/** A row of the table. */
export interface Metric<T> {
  readonly metric: string
  readonly unit: string
  readonly goal?: string
  readonly value: (one: T) => number
}

export function measurementsOf<T>(found: Found<T>, metrics: readonly Metric<T>[]): Measurement[] {
  return metrics.map(({ value, ...metric }) => ({
    ...metric,
    values: found.ours.map(value),
    peerValues: found.peer.map(value),
  }))
}
