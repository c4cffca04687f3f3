import { partitionName } from '../index.ts'
import type { PartitionOffset, TopicPartition } from '../index.ts'

/** A partition a reader follows. A seek makes another one, so that answers to the former are told apart. */
export interface Followed extends PartitionOffset {
  offset: number
  paused: boolean
  /** A fetch of it is under way, or its answer waits to be taken. */
  asked: boolean
  /** What the last answer said of the end, so that it is known to lag without asking. */
  committedEnd: number
}

/** The partitions of one reader, with their positions. */
export class FollowedPartitions {
  readonly #byName = new Map<string, Followed>()
  #rotation = 0

  get(place: TopicPartition): Followed | undefined {
    return this.#byName.get(partitionName(place))
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    const paused = this.get({ topic, partition })?.paused ?? false
    this.#byName.set(partitionName({ topic, partition }), {
      topic,
      partition,
      offset,
      paused,
      asked: false,
      committedEnd: 0,
    })
  }

  remove(place: TopicPartition): void {
    this.#byName.delete(partitionName(place))
  }

  /** False once it was moved or removed. */
  has(followed: Followed): boolean {
    return this.get(followed) === followed
  }

  /** What may be asked for now, beginning with another partition each time. */
  askable(only: (followed: Followed) => boolean): Followed[] {
    const found = [...this.#byName.values()].filter(
      (followed) => !followed.paused && !followed.asked && only(followed),
    )
    const first = found.length === 0 ? 0 : this.#rotation++ % found.length
    return [...found.slice(first), ...found.slice(0, first)]
  }

  get hasActive(): boolean {
    return [...this.#byName.values()].some(({ paused }) => !paused)
  }
}
