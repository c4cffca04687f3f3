import { ByteWriter } from '#core'
import type { Serde } from '#topology'
import type { MapKey } from './journal.ts'

/**
 * Keys in overlay Maps. Strings and numbers stand for themselves, which saves encoding them on every access; keys of
 * any other type are their encoding as latin1. One codec sees keys of one kind only. Strings have to be well-formed
 * Unicode: lone surrogates share one encoding.
 */
export class KeyCodec<K> {
  readonly #serde: Serde<K>
  readonly #scratch = new ByteWriter(64)
  #encodesKeys = false

  constructor(serde: Serde<K>) {
    this.#serde = serde
  }

  mapKey(key: K): MapKey {
    if (typeof key === 'string' || typeof key === 'number') return key
    this.#encodesKeys = true
    return this.encode(key).toString('latin1')
  }

  /** The encoding as a view, valid until the next call. */
  encode(key: K): Buffer {
    const scratch = this.#scratch
    scratch.length = 0
    this.#serde.write(key, scratch)
    return scratch.view()
  }

  /** The encoding at the start of a writer, valid until the next call; saves making a view on the hot path. */
  encodeInPlace(key: K): ByteWriter {
    const scratch = this.#scratch
    scratch.length = 0
    this.#serde.write(key, scratch)
    return scratch
  }

  /** Appends the encoding of the key that `mapKey` stands for. */
  write(mapKey: MapKey, out: ByteWriter): void {
    if (this.#encodesKeys) out.bytes(Buffer.from(mapKey as string, 'latin1'))
    else this.#serde.write(mapKey as K, out)
  }

  /** Decodes `bytes[start, …)`. */
  decode(bytes: Buffer, start = 0): K {
    return this.#serde.read(bytes, start, bytes.length)
  }
}
