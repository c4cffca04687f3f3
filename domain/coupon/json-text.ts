/**
 * JSON by hand: members in a fixed order, so that equal values give equal bytes and readers may rely on the layout.
 * Texts are concatenated and encoded in one go, which V8 does faster than many small writes.
 */

/** Everything that JSON.stringify would change: controls, quote, backslash; beyond ASCII it is left to decide. */
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** A JSON string, quotes included. */
export function quoted(text: string): string {
  return plain.test(text) ? '"' + text + '"' : JSON.stringify(text)
}

export function quotedOrNull(text: string | null): string {
  return text === null ? 'null' : quoted(text)
}

export function numberOrNull(value: number | null): string {
  return value === null ? 'null' : String(value)
}
