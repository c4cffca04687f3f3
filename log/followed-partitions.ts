import { FetchedRecords } from './fetched-records.ts'
import type { PartitionOffset, TopicPartition } from './log.ts'
import { partitionName } from './topic-partition.ts'

/** A partition that a reader follows; replaced with every change, so that late answers are told apart. */
export interface FollowedPartition extends PartitionOffset {
  readonly paused: boolean
}

/** What a fetch brought of one of the partitions it was asked for. */
export interface FetchAnswer {
  /** Into the partitions asked for. */
  readonly index: number
  readonly nextOffset: number
  readonly highWatermark: number
  readonly batches: readonly Buffer[]
}

/** Where a reader is in each partition: the bookkeeping of drivers whose fetch asks for all partitions at once. */
export class FollowedPartitions {
  readonly #followed = new Map<string, FollowedPartition>()
  readonly #changed: () => void
  #rotation = 0

  /** @param changed called after every change: a fetch that waits does so for the old positions */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    const name = partitionName({ topic, partition })
    this.#followed.set(name, { topic, partition, offset, paused: this.#followed.get(name)?.paused ?? false })
    this.#changed()
  }

  remove(place: TopicPartition): void {
    this.#followed.delete(partitionName(place))
    this.#changed()
  }

  setPaused(place: TopicPartition, paused: boolean): void {
    const name = partitionName(place)
    const followed = this.#followed.get(name)
    if (followed === undefined || followed.paused === paused) return
    this.#followed.set(name, { ...followed, paused })
    this.#changed()
  }

  position(place: TopicPartition): number | undefined {
    return this.#followed.get(partitionName(place))?.offset
  }

  /** What is not paused, beginning with another partition each time. */
  rotated(): FollowedPartition[] {
    const active = [...this.#followed.values()].filter(({ paused }) => !paused)
    const first = active.length === 0 ? 0 : this.#rotation++ % active.length
    return [...active.slice(first), ...active.slice(0, first)]
  }

  /** Moves positions; drops answers for partitions that were moved, paused or removed since they were asked for. */
  take(asked: readonly FollowedPartition[], answers: readonly FetchAnswer[]): FetchedRecords[] {
    const taken: FetchedRecords[] = []
    for (const { index, nextOffset, highWatermark, batches } of answers) {
      const followed = asked[index] as FollowedPartition
      const { topic, partition, offset: startOffset } = followed
      const name = partitionName(followed)
      if (this.#followed.get(name) !== followed) continue
      this.#followed.set(name, { ...followed, offset: nextOffset })
      taken.push(new FetchedRecords({ topic, partition, startOffset, nextOffset, highWatermark, batches }))
    }
    return taken
  }
}
