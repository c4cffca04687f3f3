/**
 * Whether every output is the fold of its input prefix: exactly once, in order, nothing missing. Pure, fed with the
 * records of the log one after the other. Of each partition or group the first thing wrong is told; what follows from
 * it is not.
 */
import { groupOf } from './topology.ts'
import type { Fold } from './topology.ts'

export interface InputRecord {
  readonly offset: number
  readonly key: string
  readonly value: number
}

/** One partition of a topic whose records follow those of the same partition of the input, one for each. */
export class PartitionCheck {
  readonly violations: string[] = []
  readonly #where: string
  readonly #input: readonly InputRecord[]
  readonly #fold: Fold
  readonly #folded = new Map<string, number>()
  #next = 0

  constructor(where: string, input: readonly InputRecord[], fold: Fold) {
    this.#where = where
    this.#input = input
    this.#fold = fold
  }

  record(key: string, value: string): void {
    const at = this.#next++
    if (this.violations.length > 0) return
    const from = this.#input[at]
    if (from === undefined) {
      this.violations.push(`${this.#where} has ${key} = ${value} beyond the end of its input`)
      return
    }
    const expected = this.#fold(this.#folded.get(from.key), from.value)
    this.#folded.set(from.key, expected)
    if (key !== from.key || value !== String(expected)) {
      this.violations.push(
        `record ${at} of ${this.#where} is ${key} = ${value}, its input gives ${from.key} = ${expected}`,
      )
    }
  }

  end(): readonly string[] {
    const length = this.#input.length
    if (this.#next !== length && this.violations.length === 0)
      this.violations.push(`${this.#where} has ${this.#next} records, its input ${length}`)
    return this.violations
  }
}

interface GroupState {
  /** All of a group is in one. */
  readonly partition: number
  /** By partition of the input: how many of the group's records have come from there. */
  readonly came: Map<number, number>
  folded: number | undefined
  isWrong: boolean
}

/**
 * A topic behind the repartition. How records of several partitions mix in a group is decided by who came first; each
 * partition keeps its order, each record comes once, and the fold is that of the records that came before.
 */
export class GroupCheck {
  readonly violations: string[] = []
  readonly #where: string
  readonly #fold: Fold
  /** By group and partition of the input, in order. */
  readonly #inputs: GroupedInput
  readonly #groups = new Map<string, GroupState>()

  constructor(where: string, inputs: GroupedInput, fold: Fold) {
    this.#where = where
    this.#inputs = inputs
    this.#fold = fold
  }

  /**
   * @param at the partition where it is
   * @param from `<partition>/<offset>` of the record of the input
   */
  record(at: number, group: string, value: string, from: string): void {
    const state = this.#stateOf(group, at)
    if (state.isWrong) return
    if (state.partition !== at) {
      this.#report(state, `${group} of ${this.#where} is in partitions ${state.partition} and ${at}`)
      return
    }
    const [partition = -1, offset = -1] = from.split('/').map(Number)
    const came = state.came.get(partition) ?? 0
    state.came.set(partition, came + 1)
    const next = this.#inputs.get(group)?.get(partition)?.[came]
    if (next?.offset !== offset) {
      const expected = next === undefined ? 'nothing' : `${partition}/${next.offset}`
      this.#report(state, `${group} of ${this.#where} has ${from} where ${expected} comes next`)
      return
    }
    state.folded = this.#fold(state.folded, next.value)
    if (value !== String(state.folded))
      this.#report(
        state,
        `${group} of ${this.#where} is ${value} at ${from}, its input gives ${state.folded}`,
      )
  }

  end(): readonly string[] {
    for (const [group, byPartition] of this.#inputs) {
      const state = this.#stateOf(group)
      for (const [partition, input] of byPartition) {
        const came = state.came.get(partition) ?? 0
        if (came === input.length || state.isWrong) continue
        const what = `${came} records from partition ${partition}, which has ${input.length}`
        this.#report(state, `${group} of ${this.#where} has ${what}`)
      }
    }
    return this.violations
  }

  #stateOf(group: string, partition = -1): GroupState {
    const known = this.#groups.get(group)
    if (known !== undefined) return known
    const state: GroupState = { partition, came: new Map(), folded: undefined, isWrong: false }
    this.#groups.set(group, state)
    return state
  }

  #report(state: GroupState, violation: string): void {
    state.isWrong = true
    this.violations.push(violation)
  }
}

/** Records of the input by group and partition, in order. */
export type GroupedInput = ReadonlyMap<string, ReadonlyMap<number, readonly InputRecord[]>>

export function groupInput(input: readonly (readonly InputRecord[])[]): GroupedInput {
  const grouped = new Map<string, Map<number, InputRecord[]>>()
  for (const [partition, records] of input.entries()) {
    for (const record of records) {
      const group = groupOf(record.value)
      const byPartition = grouped.get(group) ?? new Map<number, InputRecord[]>()
      grouped.set(group, byPartition)
      const own = byPartition.get(partition) ?? []
      byPartition.set(partition, own)
      own.push(record)
    }
  }
  return grouped
}
