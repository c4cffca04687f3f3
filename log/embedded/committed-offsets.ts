import { ByteReader, ByteWriter } from '#core'
import type { Clock, RocksDatabase } from '#core'
import { logError } from '../index.ts'
import type { CommittedOffset, TopicPartition } from '../index.ts'
import type { WriteGroup } from './group-commit.ts'
import { offsetKey, offsetPrefix, partsOfOffsetKey, keyTag } from './keys.ts'
import type { Topic, TopicRegistry } from './topic-registry.ts'

interface Stored {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

/** An offset that a transaction carries. */
export interface OffsetToCommit extends Stored {
  readonly group: string
}

/**
 * The groups' committed offsets, in memory and in RocksDB, and which of them an undecided transaction holds
 * (KIP-447: a new owner waits for those). Bounded by groups times partitions.
 */
export class CommittedOffsets {
  readonly #clock: Clock
  readonly #topics: TopicRegistry
  readonly #stableWaitMs: number
  readonly #groups = new Map<string, Map<string, Stored>>()
  /** How many undecided transactions hold an offset. */
  readonly #undecided = new Map<string, number>()
  readonly #waiting = new Set<() => void>()

  constructor(clock: Clock, topics: TopicRegistry, stableWaitMs: number) {
    this.#clock = clock
    this.#topics = topics
    this.#stableWaitMs = stableWaitMs
  }

  load(database: RocksDatabase): void {
    const range = { gte: offsetPrefix(), lt: Buffer.from([keyTag.offset + 1]) }
    for (const [key, value] of database.scan(range)) {
      const { group, topicId, partition } = partsOfOffsetKey(key)
      const input = new ByteReader(value)
      this.#set({ group, topicId, partition, offset: input.uvarint(), metadata: input.text() })
    }
  }

  /** From now on `committed` with requireStable waits for these offsets. */
  hold(offsets: readonly OffsetToCommit[]): void {
    for (const offset of offsets) {
      const key = holdKey(offset.group, offset.topicId, offset.partition)
      this.#undecided.set(key, (this.#undecided.get(key) ?? 0) + 1)
    }
  }

  release(offsets: readonly OffsetToCommit[]): void {
    for (const offset of offsets) {
      const key = holdKey(offset.group, offset.topicId, offset.partition)
      const left = (this.#undecided.get(key) ?? 0) - 1
      if (left > 0) this.#undecided.set(key, left)
      else this.#undecided.delete(key)
    }
    for (const wake of this.#waiting) wake()
  }

  /** Puts the offsets into the write group; the returned function makes them visible once it is durable. */
  put(group: WriteGroup, offsets: readonly OffsetToCommit[]): () => void {
    for (const { group: name, topicId, partition, offset, metadata } of offsets) {
      const out = new ByteWriter(16 + metadata.length)
      out.uvarint(offset)
      out.text(metadata)
      group.batch.put(offsetKey(name, topicId, partition), out.view())
    }
    return () => {
      for (const offset of offsets) this.#set(offset)
    }
  }

  /** Errors: LOG_UNKNOWN_TOPIC, LOG_UNSTABLE_OFFSETS. */
  async committed(
    group: string,
    partitions: readonly TopicPartition[],
    requireStable: boolean,
  ): Promise<readonly CommittedOffset[]> {
    const wanted = partitions.map((partition) => ({
      ...partition,
      topicId: this.#topics.partition(partition).topic.topicId,
    }))
    if (requireStable)
      await this.#untilStable(wanted.map((one) => holdKey(group, one.topicId, one.partition)))
    const stored = this.#groups.get(group)
    return wanted.map(({ topic, partition, topicId }) => {
      const found = stored?.get(partitionId(topicId, partition))
      return { topic, partition, offset: found?.offset, metadata: found?.metadata ?? '' }
    })
  }

  /** Forgets a group, or in every group a topic: as `put`, the deletion is visible once it is durable. */
  forgetGroup(write: WriteGroup, group: string): () => void {
    const forgotten = [...(this.#groups.get(group)?.keys() ?? [])].map((id) => ({ group, id }))
    return this.#forget(write, forgotten)
  }

  forgetTopic(write: WriteGroup, topic: Topic): () => void {
    const forgotten = [...this.#groups].flatMap(([group, offsets]) =>
      [...offsets]
        .filter(([, { topicId }]) => topicId === topic.description.topicId)
        .map(([id]) => ({ group, id })),
    )
    return this.#forget(write, forgotten)
  }

  #forget(
    write: WriteGroup,
    forgotten: readonly { readonly group: string; readonly id: string }[],
  ): () => void {
    for (const { group, id } of forgotten) {
      const stored = this.#groups.get(group)?.get(id)
      if (stored !== undefined) write.batch.delete(offsetKey(group, stored.topicId, stored.partition))
    }
    return () => {
      for (const { group, id } of forgotten) {
        const offsets = this.#groups.get(group)
        offsets?.delete(id)
        if (offsets?.size === 0) this.#groups.delete(group)
      }
    }
  }

  async #untilStable(keys: readonly string[]): Promise<void> {
    const unstable = (): boolean => keys.some((key) => this.#undecided.has(key))
    const deadline = this.#clock.now() + this.#stableWaitMs
    while (unstable()) {
      const left = deadline - this.#clock.now()
      if (left <= 0) {
        throw logError(
          'LOG_UNSTABLE_OFFSETS',
          `A transaction that commits these offsets is still undecided after ${this.#stableWaitMs} ms. Ask again.`,
        )
      }
      const woken = new AbortController()
      const wake = (): void => woken.abort()
      this.#waiting.add(wake)
      await this.#clock.sleep(left, woken.signal)
      this.#waiting.delete(wake)
    }
  }

  #set({ group, ...stored }: OffsetToCommit): void {
    let offsets = this.#groups.get(group)
    if (offsets === undefined) this.#groups.set(group, (offsets = new Map<string, Stored>()))
    offsets.set(partitionId(stored.topicId, stored.partition), stored)
  }
}

function partitionId(topicId: string, partition: number): string {
  return `${topicId}/${partition}`
}

function holdKey(group: string, topicId: string, partition: number): string {
  return `${topicId}/${partition}/${group}`
}
