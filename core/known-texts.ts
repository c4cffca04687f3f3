/**
 * Texts that come again and again (the key of a hot item, a tenant) decoded once: the same string object is answered,
 * so nothing is allocated, and comparing it or looking it up in a Map costs no walk over its characters.
 *
 * A direct-mapped cache of fixed size: texts that share a place push each other out, and cost a little more than
 * without it.
 */
import { utf8Text } from './bytes.ts'

const places = 512
const bytesMax = 64

export class KnownTexts {
  readonly #texts: string[] = Array.from({ length: places }, () => '')

  /** `buffer[start, end)` decoded as UTF-8. */
  read(buffer: Buffer, start: number, end: number): string {
    const size = end - start
    if (size < 3 || size > bytesMax) return utf8Text(buffer, start, end)
    // The end of an id tells more than its beginning.
    const last = buffer[end - 1] as number
    const place =
      (last + 31 * (buffer[end - 2] as number) + 961 * (buffer[end - 3] as number) + size) & (places - 1)
    const known = this.#texts[place] as string
    if (known.length === size && isText(buffer, start, known)) return known
    return (this.#texts[place] = utf8Text(buffer, start, end))
  }
}

/** Only ASCII is as long in bytes as in characters. */
function isText(buffer: Buffer, start: number, text: string): boolean {
  for (let index = text.length - 1; index >= 0; index--) {
    const code = text.charCodeAt(index)
    if (code !== buffer[start + index] || code > 0x7f) return false
  }
  return true
}
