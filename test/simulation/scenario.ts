/** What runs in a world: a topology, its input, and what must come out. */
import { RecordCursor } from '#log'
import type { TopicSpec } from '#log'
import type { OutputRecord } from '#processor'
import type { Topology } from '#topology'
import type { World } from './world.ts'

export const appId = 'sim'

/** One record of the input; null and texts that cannot be read are what others may write to the topic. */
export interface Ask {
  readonly key: string
  readonly value: string | null
}

export interface Place {
  readonly partition: number
  readonly offset: number
}

/** Takes what a checker found. */
export type Note = (violations: readonly { readonly message: string }[]) => void

export interface Scenario {
  readonly topology: Topology
  readonly topics: readonly TopicSpec[]
  /** Where the load goes. */
  readonly input: string
  next(): Ask
  /** The log has acknowledged what was asked. */
  acknowledged(value: string | null, place: Place): void
  /** Asks of all that was written whether it is what the input gives. */
  check(world: World, note: Note): void
}

export interface ReadRecord extends OutputRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly offset: number
  readonly timestamp: number
}

/** Every committed record of a partition since the beginning, whatever was compacted or deleted. */
export function recordsOf(world: World, topic: string, partition: number): ReadRecord[] {
  const batches = world.broker.topics.partitionsOf(topic)[partition]?.committedBatches() ?? []
  const records: ReadRecord[] = []
  for (const cursor = new RecordCursor(batches); cursor.next();) {
    const { offset, timestamp } = cursor
    records.push({ offset, timestamp, key: cursor.key(), value: cursor.value() })
  }
  return records
}
