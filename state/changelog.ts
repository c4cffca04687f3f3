/**
 * The changelog's records, and the same bytes in the local database.
 *
 * A changelog key is a kind byte and the rest; the database key is the store's id byte and the changelog key; values
 * are the same in both. So the local state is the fold of the changelog byte for byte, and restoring copies.
 *
 *   0x00                                   position of the task (hidden from scans)
 *   0x01 key                               an entry of a key-value store
 *   0x01 size(uvarint) key number(i64)     a segment of a set; value = entries (see set-segment.ts)
 */
import { ByteReader } from '#core'
import type { ByteWriter } from '#core'

export const changelogKind = { position: 0, data: 1 } as const

/**
 * Kinds of local keys that no changelog holds: they repeat what the data says, in a form for look-ups.
 *
 *   0x80 set key                                      marks the spilled shards of a set
 *   0x81 size(uvarint) set key shard(u8) member       a member of a spilled shard; value = the member's value
 */
export const localKind = { spilled: 0x80, member: 0x81 } as const

/** How far a task has read its inputs, and the greatest timestamp it has seen. */
export interface TaskPosition {
  /** Next offset to read of each input partition (exclusive end of what is processed). */
  readonly inputs: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
  /** Milliseconds since the epoch; -1 before the first record. */
  readonly streamTime: number
}

export function writePosition(position: TaskPosition, out: ByteWriter): void {
  out.varint(position.streamTime)
  out.uvarint(position.inputs.length)
  for (const input of position.inputs) {
    out.text(input.topic)
    out.uvarint(input.partition)
    out.uvarint(input.offset)
  }
}

export function readPosition(bytes: Buffer): TaskPosition {
  const reader = new ByteReader(bytes)
  const streamTime = reader.varint()
  const inputs = Array.from({ length: reader.uvarint() }, () => ({
    topic: reader.text(),
    partition: reader.uvarint(),
    offset: reader.uvarint(),
  }))
  return { inputs, streamTime }
}

/** The name of a store's changelog topic. */
export function changelogTopic(appId: string, store: string): string {
  return `${appId}-${store}-changelog`
}
