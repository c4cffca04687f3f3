/**
 * A claim's id is its place in line: `<nonce>-<topic version>-<partition>-<offset>` of its command.
 * It is known when the append is acknowledged and needs no look-up table; the nonce makes it unguessable.
 * Clients treat it as opaque.
 */
export interface ClaimPosition {
  readonly nonce: string
  readonly version: number
  readonly partition: number
  readonly offset: number
}

export function formatClaimId(position: ClaimPosition): string {
  return `${position.nonce}-${position.version}-${position.partition}-${position.offset}`
}

const form = /^([0-9a-f]{16})-([1-9]\d{0,5})-(0|[1-9]\d{0,5})-(0|[1-9]\d{0,15})$/

/** Undefined for a text that is not of our form. */
export function parseClaimId(text: string): ClaimPosition | undefined {
  const match = form.exec(text)
  if (match === null) return undefined
  const offset = Number(match[4])
  if (!Number.isSafeInteger(offset)) return undefined
  return { nonce: match[1] as string, version: Number(match[2]), partition: Number(match[3]), offset }
}
