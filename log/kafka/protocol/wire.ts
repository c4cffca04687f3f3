/** Kafka's flexible wire format (KIP-482) over flat buffers: compact strings and arrays, tagged fields skipped. */
import { ByteReader, ByteWriter } from '#core'

/** One version of one request: how it is written, and how its answer is read. */
export interface Api<Request, Answer> {
  readonly key: number
  readonly version: number
  readonly name: string
  /** ApiVersions alone answers with header version 0, so that any client can read it. */
  readonly plainAnswerHeader?: true
  encode(out: RequestWriter, request: Request): void
  decode(from: AnswerReader): Answer
}

export class RequestWriter extends ByteWriter {
  readonly #attached: { readonly at: number; readonly bytes: Buffer }[] = []

  i8(value: number): void {
    this.u8(value & 0xff)
  }

  i16(value: number): void {
    this.u16(value & 0xffff)
  }

  i32(value: number): void {
    this.u32(value >>> 0)
  }

  bool(value: boolean): void {
    this.u8(value ? 1 : 0)
  }

  string(text: string | null): void {
    if (text === null) return this.uvarint(0)
    this.uvarint(Buffer.byteLength(text) + 1)
    this.utf8(text)
  }

  /** Elements with tagged fields of their own. Primitive elements have none: see `primitives`. */
  array<T>(items: readonly T[], write: (item: T) => void): void {
    this.uvarint(items.length + 1)
    for (const item of items) {
      write(item)
      this.tags()
    }
  }

  primitives<T>(items: readonly T[], write: (item: T) => void): void {
    this.uvarint(items.length + 1)
    for (const item of items) write(item)
  }

  nullArray(): void {
    this.uvarint(0)
  }

  /** The id that stands for none. */
  zeroUuid(): void {
    this.i64(0)
    this.i64(0)
  }

  /** No tagged fields. */
  tags(): void {
    this.u8(0)
  }

  /** Bytes that become part of the request without being copied here. */
  attach(bytes: Buffer): void {
    this.uvarint(bytes.length + 1)
    this.#attached.push({ at: this.length, bytes })
  }

  /** The request in pieces, in order. */
  chunks(): Buffer[] {
    const chunks: Buffer[] = []
    let start = 0
    for (const { at, bytes } of this.#attached) {
      chunks.push(this.buffer.subarray(start, at), bytes)
      start = at
    }
    chunks.push(this.view(start))
    return chunks
  }
}

export class AnswerReader extends ByteReader {
  i8(): number {
    const value = this.u8()
    return value > 0x7f ? value - 0x100 : value
  }

  i16(): number {
    const value = this.u16()
    return value > 0x7fff ? value - 0x1_0000 : value
  }

  i32(): number {
    return this.u32() | 0
  }

  bool(): boolean {
    return this.u8() !== 0
  }

  nullableString(): string | null {
    const length = this.uvarint() - 1
    return length < 0 ? null : this.view(length).toString()
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  /** As Kafka's own tools print it. */
  uuid(): string {
    return this.view(16).toString('base64url')
  }

  /** A view; empty for null. */
  bytes(): Buffer {
    return this.view(Math.max(this.uvarint() - 1, 0))
  }

  /** Null counts as empty. */
  array<T>(read: () => T): T[] {
    const items = this.primitives(() => {
      const item = read()
      this.tags()
      return item
    })
    return items
  }

  primitives<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.uvarint() - 1; left > 0; left--) items.push(read())
    return items
  }

  /** Passes tagged fields over: none of those we know matters to us. */
  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.view(this.uvarint())
    }
  }
}

/** Produce says it last, all others that are used here first. */
const produceKey = 0

/** How long the broker held the answer back by a quota (KIP-219), milliseconds. @param body behind the header */
export function throttleMsOf(api: Api<never, unknown>, body: Buffer): number {
  if (api.plainAnswerHeader === true) return 0
  // Behind it the tagged fields of the answer: none.
  const at = api.key === produceKey ? body.length - 5 : 0
  return at < 0 || body.length < at + 4 ? 0 : Math.max(0, body.readInt32BE(at))
}
