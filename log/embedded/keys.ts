/**
 * How the log lies in RocksDB. A key starts with one byte that says what it is; integers are big-endian, so bytewise
 * order is numeric order.
 *
 * - cluster: the log's UUID and the format's version
 * - topic + name: the topic's description
 * - partition + topic id + partition: its offsets and counters, written with every change of the partition
 * - batch + topic id + partition + base offset: a record batch
 * - offset + group + topic id + partition: a committed offset
 * - purge + topic id: a deleted topic whose batches may still be there
 */
import { writeI64 } from '#core'

export const keyTag = { cluster: 0, topic: 1, partition: 2, batch: 3, offset: 4, purge: 5 } as const

export const clusterKey = Buffer.from([keyTag.cluster])

const topicIdBytes = 16
const partitionKeyBytes = 1 + topicIdBytes + 4
const batchKeyBytes = partitionKeyBytes + 8

export function topicKey(name: string): Buffer {
  return Buffer.concat([Buffer.from([keyTag.topic]), Buffer.from(name)])
}

export function topicOfKey(key: Buffer): string {
  return key.toString('utf8', 1)
}

export function purgeKey(topicId: string): Buffer {
  return Buffer.concat([Buffer.from([keyTag.purge]), topicIdToBytes(topicId)])
}

export function topicOfPurgeKey(key: Buffer): string {
  return topicIdFromBytes(key, 1)
}

export function partitionKey(topicId: string, partition: number): Buffer {
  const key = Buffer.alloc(partitionKeyBytes)
  writePartitionKey(key, keyTag.partition, topicId, partition)
  return key
}

/** A batch key to be reused: change its offset with `setBatchOffset`. */
export function batchKey(topicId: string, partition: number, baseOffset: number): Buffer {
  const key = Buffer.alloc(batchKeyBytes)
  writePartitionKey(key, keyTag.batch, topicId, partition)
  writeI64(key, partitionKeyBytes, baseOffset)
  return key
}

export function setBatchOffset(key: Buffer, baseOffset: number): Buffer {
  writeI64(key, partitionKeyBytes, baseOffset)
  return key
}

export function offsetPrefix(group?: string): Buffer {
  if (group === undefined) return Buffer.from([keyTag.offset])
  const name = Buffer.from(group)
  const prefix = Buffer.alloc(3 + name.length)
  prefix[0] = keyTag.offset
  prefix.writeUInt16BE(name.length, 1)
  name.copy(prefix, 3)
  return prefix
}

export function offsetKey(group: string, topicId: string, partition: number): Buffer {
  const prefix = offsetPrefix(group)
  const key = Buffer.alloc(prefix.length + topicIdBytes + 4)
  prefix.copy(key)
  topicIdToBytes(topicId).copy(key, prefix.length)
  key.writeUInt32BE(partition, prefix.length + topicIdBytes)
  return key
}

export function partsOfOffsetKey(key: Buffer): { group: string; topicId: string; partition: number } {
  const end = 3 + key.readUInt16BE(1)
  return {
    group: key.toString('utf8', 3, end),
    topicId: topicIdFromBytes(key, end),
    partition: key.readUInt32BE(end + topicIdBytes),
  }
}

function writePartitionKey(key: Buffer, tag: number, topicId: string, partition: number): void {
  key[0] = tag
  topicIdToBytes(topicId).copy(key, 1)
  key.writeUInt32BE(partition, 1 + topicIdBytes)
}

function topicIdToBytes(topicId: string): Buffer {
  return Buffer.from(topicId.replaceAll('-', ''), 'hex')
}

function topicIdFromBytes(buffer: Buffer, at: number): string {
  const hex = buffer.toString('hex', at, at + topicIdBytes)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
