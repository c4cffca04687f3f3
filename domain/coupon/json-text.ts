/**
 * JSON by hand: members in a fixed order, so that equal values give equal bytes and readers may rely on the layout.
 * Texts are concatenated and encoded in one go, which V8 does faster than many small writes.
 */

import type { ByteWriter } from '#core'

/** Everything that JSON.stringify would change: controls, quote, backslash; beyond ASCII it is left to decide. */
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** A JSON string, quotes included. */
export function quoted(text: string): string {
  return plain.test(text) ? '"' + text + '"' : JSON.stringify(text)
}

/** The same written at once. Ids and nonces need no escaping, which shows while they are copied. */
export function writeQuoted(text: string, out: ByteWriter): void {
  const start = out.length
  out.reserve(text.length + 2)
  const { buffer } = out
  let at = start
  buffer[at++] = quote
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code > 0x7e || code === quote || code === backslash) {
      out.utf8(JSON.stringify(text))
      return
    }
    buffer[at++] = code
  }
  buffer[at++] = quote
  out.length = at
}

const quote = 0x22
const backslash = 0x5c

export function quotedOrNull(text: string | null): string {
  return text === null ? 'null' : quoted(text)
}

export function numberOrNull(value: number | null): string {
  return value === null ? 'null' : String(value)
}
