/** Which representation a client wants (RFC 9110, 12.5.1). */
import { parseAccept } from 'hono/utils/accept'

/**
 * Of what can be given, what the Accept header weighs most; among equals what it names first, and what it does not name
 * in the order of `types`. The first type for who accepts none: an answer helps more than a refusal.
 */
export function preferredType<T extends string>(header: string | undefined, types: readonly [T, ...T[]]): T {
  const ranges = parseAccept(header ?? '').map(({ type, q }) => ({ type: type.toLowerCase(), q }))
  let preferred: T = types[0]
  let best = { q: 0, place: Infinity }
  for (const type of types) {
    const named = ranges.findIndex((range) => range.type === type)
    const place = named < 0 ? Infinity : named
    // Of the ranges that hold a type the narrowest decides.
    const range =
      ranges[named] ??
      ranges.find((each) => each.type === `${type.split('/')[0]}/*`) ??
      ranges.find((each) => each.type === '*/*')
    const q = range?.q ?? 0
    // Weight 0 means: not this one.
    if (q === 0 || q < best.q || (q === best.q && place >= best.place)) continue
    preferred = type
    best = { q, place }
  }
  return preferred
}
