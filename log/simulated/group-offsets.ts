/** Committed offsets of groups, with those that open transactions would commit. */
import { logError, partitionName } from '../index.ts'
import type { CommittedOffset, PartitionOffset, TopicPartition } from '../index.ts'
import type { Durability } from './durability.ts'

export type OffsetToCommit = PartitionOffset & { readonly metadata: string }

interface Committed {
  readonly offset: number
  readonly metadata: string
  /** When it was appended, as a number that grows: the offset appended last counts, whatever was decided last. */
  readonly appended: number
}

interface Pending {
  readonly group: string
  readonly offsets: readonly OffsetToCommit[]
  readonly appended: number
  deciding: boolean
}

/** An offset as it became visible. */
export interface OffsetCommit extends PartitionOffset {
  readonly group: string
}

export class GroupOffsets {
  readonly #durability: Durability
  /** By group, then by partition. */
  readonly #committed = new Map<string, Map<string, Committed>>()
  /** By transaction. */
  readonly #pending = new Map<string, Pending[]>()
  #appended = 0
  #changed: (() => void)[] = []
  /** Every commit in the order they became visible: for checkers. */
  readonly history: OffsetCommit[] = []

  constructor(durability: Durability) {
    this.#durability = durability
  }

  /** The offsets are part of the open transaction from now on. */
  hold(transaction: string, group: string, offsets: readonly OffsetToCommit[]): void {
    const pending = this.#pending.get(transaction) ?? []
    const entry: Pending = { group, offsets, appended: ++this.#appended, deciding: false }
    pending.push(entry)
    this.#pending.set(transaction, pending)
    this.#durability.note(() => {
      pending.splice(pending.indexOf(entry), 1)
      if (pending.length === 0) this.#pending.delete(transaction)
    })
  }

  decide(transaction: string, commit: boolean): void {
    const pending = this.#pending.get(transaction)
    if (pending === undefined || pending.some(({ deciding }) => deciding)) return
    for (const entry of pending) entry.deciding = true
    this.#durability.note(
      () => {
        for (const entry of pending) entry.deciding = false
      },
      () => {
        this.#pending.delete(transaction)
        if (commit) for (const entry of pending) this.#apply(entry)
        for (const wake of this.#changed.splice(0)) wake()
      },
    )
  }

  /** True when no open transaction would commit one of them. */
  isStable(group: string, partitions: readonly TopicPartition[]): boolean {
    for (const pending of this.#pending.values()) {
      for (const entry of pending) {
        if (entry.group !== group) continue
        if (
          entry.offsets.some((one) => partitions.some((other) => partitionName(one) === partitionName(other)))
        )
          return false
      }
    }
    return true
  }

  /** Resolves at the next decision of a transaction. */
  changed(): Promise<void> {
    return new Promise((resolve) => void this.#changed.push(resolve))
  }

  committed(group: string, partitions: readonly TopicPartition[]): CommittedOffset[] {
    const known = this.#committed.get(group)
    return partitions.map(({ topic, partition }) => {
      const found = known?.get(partitionName({ topic, partition }))
      return { topic, partition, offset: found?.offset, metadata: found?.metadata ?? '' }
    })
  }

  forgetGroup(group: string): void {
    const known = this.#committed.get(group)
    if (known === undefined) return
    this.#committed.delete(group)
    this.#durability.note(() => void this.#committed.set(group, known))
  }

  forgetTopic(topic: string): void {
    for (const known of this.#committed.values()) {
      for (const name of known.keys()) if (name.startsWith(`${topic}/`)) known.delete(name)
    }
  }

  #apply({ group, offsets, appended }: Pending): void {
    const known = this.#committed.get(group) ?? new Map<string, Committed>()
    this.#committed.set(group, known)
    for (const { topic, partition, offset, metadata } of offsets) {
      const name = partitionName({ topic, partition })
      if ((known.get(name)?.appended ?? -1) > appended) continue
      known.set(name, { offset, metadata, appended })
      this.history.push({ group, topic, partition, offset })
    }
  }
}

export function unstableOffsets(group: string): Error {
  return logError(
    'LOG_UNSTABLE_OFFSETS',
    `Offsets of group ${group} belong to a transaction that is not decided yet. Try again.`,
  )
}
