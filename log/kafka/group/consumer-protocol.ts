/**
 * What members and their leader tell each other through the coordinator, in the bytes of Kafka's own consumers
 * (ConsumerProtocolSubscription version 2, ConsumerProtocolAssignment version 0), so that Kafka's tools can read them.
 * Not flexible: 16-bit lengths of texts, 32-bit counts.
 */
import { ByteReader, ByteWriter } from '#core'
import type { TopicPartition } from '../../index.ts'
import { groupedByTopic } from '../protocol/by-topic.ts'

const subscriptionVersion = 2
const assignmentVersion = 0
const firstWithOwned = 1
const firstWithGeneration = 2

export interface Subscription {
  readonly topics: readonly string[]
  readonly userData: Uint8Array
  readonly owned: readonly TopicPartition[]
  /** In which what it owns was given to it; of two that claim the same the later one is right (KIP-792). */
  readonly generation: number
}

export interface Assignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Uint8Array
}

export function encodeSubscription({ topics, userData, owned, generation }: Subscription): Buffer {
  const out = new ByteWriter(256 + userData.length)
  out.u16(subscriptionVersion)
  out.u32(topics.length)
  for (const topic of topics) writeText(out, topic)
  writeBytes(out, userData)
  writePartitions(out, owned)
  out.u32(generation >>> 0)
  return out.toBuffer()
}

/** Errors: RangeError when the bytes are cut. */
export function decodeSubscription(bytes: Buffer): Subscription {
  const from = new ByteReader(bytes)
  const version = from.u16()
  const topics = list(from, () => readText(from))
  const userData = readBytes(from)
  const owned = version < firstWithOwned ? [] : readPartitions(from)
  const generation = version < firstWithGeneration ? -1 : from.u32() | 0
  return { topics, userData, owned, generation }
}

export function encodeAssignment({ partitions, userData }: Assignment): Buffer {
  const out = new ByteWriter(256 + userData.length)
  out.u16(assignmentVersion)
  writePartitions(out, partitions)
  writeBytes(out, userData)
  return out.toBuffer()
}

/** Empty bytes are an empty assignment. Errors: RangeError when the bytes are cut. */
export function decodeAssignment(bytes: Buffer): Assignment {
  if (bytes.length === 0) return { partitions: [], userData: new Uint8Array() }
  const from = new ByteReader(bytes)
  from.u16()
  return { partitions: readPartitions(from), userData: readBytes(from) }
}

function writePartitions(out: ByteWriter, partitions: readonly TopicPartition[]): void {
  const topics = groupedByTopic(partitions)
  out.u32(topics.length)
  for (const { topic, partitions: ofTopic } of topics) {
    writeText(out, topic)
    out.u32(ofTopic.length)
    for (const { partition } of ofTopic) out.u32(partition)
  }
}

function readPartitions(from: ByteReader): TopicPartition[] {
  return list(from, () => {
    const topic = readText(from)
    return list(from, () => ({ topic, partition: from.u32() }))
  }).flat()
}

function writeText(out: ByteWriter, text: string): void {
  out.u16(Buffer.byteLength(text))
  out.utf8(text)
}

function readText(from: ByteReader): string {
  return from.view(from.u16()).toString()
}

function writeBytes(out: ByteWriter, bytes: Uint8Array): void {
  out.u32(bytes.length)
  out.bytes(bytes)
}

/** A copy; null counts as empty. */
function readBytes(from: ByteReader): Uint8Array {
  return Uint8Array.from(from.view(Math.max(from.u32() | 0, 0)))
}

function list<T>(from: ByteReader, read: () => T): T[] {
  const items: T[] = []
  for (let left = from.u32(); left > 0; left--) items.push(read())
  return items
}
