/**
 * Reads an `issue` command in the layout that we write, byte by byte: no parse, no object but the command.
 *
 * Only ids of the alphabet are taken, which need neither decoding nor unescaping, so what is accepted here is what
 * JSON.parse and `checkCommand` would accept, with the same result. Everything else is left to them.
 */
import { KnownTexts, latin1Text } from '#core'
import { limits } from './messages.ts'
import type { IssueCommand } from './messages.ts'

const head = Buffer.from('{"command":"issue","couponId":"')
const userMember = Buffer.from('","userId":"')
const byMember = Buffer.from('","by":"')
const nonceMember = Buffer.from('","nonce":"')
const keyMember = Buffer.from('","idempotencyKey":"')
const tail = Buffer.from('"}')
const nonceLength = 16

/** There are far fewer coupons than claims. */
const couponIds = new KnownTexts()

/** By byte: 1 for the alphabet of ids. */
const idByte = new Uint8Array(256)
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-'))
  idByte[byte] = 1

/** Undefined when `buffer[start, end)` is not an issue command in our layout. */
export function scanIssue(buffer: Buffer, start: number, end: number): IssueCommand | undefined {
  if (!matches(buffer, start, end, head)) return undefined
  const couponAt = start + head.length
  const couponEnd = idEnd(buffer, couponAt, end)
  if (couponEnd < 0 || !matches(buffer, couponEnd, end, userMember)) return undefined
  const userAt = couponEnd + userMember.length
  const userEnd = idEnd(buffer, userAt, end)
  if (userEnd < 0 || !matches(buffer, userEnd, end, byMember)) return undefined
  const byAt = userEnd + byMember.length
  const byEnd = idEnd(buffer, byAt, end)
  if (byEnd < 0 || !matches(buffer, byEnd, end, nonceMember)) return undefined
  const nonceAt = byEnd + nonceMember.length
  const nonceEnd = nonceAt + nonceLength
  if (!isNonce(buffer, nonceAt, nonceEnd)) return undefined

  const couponId = couponIds.read(buffer, couponAt, couponEnd)
  const userId = latin1Text(buffer, userAt, userEnd)
  const by = sameBytes(buffer, userAt, userEnd, byAt, byEnd) ? userId : latin1Text(buffer, byAt, byEnd)
  const nonce = latin1Text(buffer, nonceAt, nonceEnd)
  if (nonceEnd + tail.length === end) {
    return matches(buffer, nonceEnd, end, tail)
      ? { command: 'issue', userId, couponId, by, nonce }
      : undefined
  }
  if (!matches(buffer, nonceEnd, end, keyMember)) return undefined
  const keyAt = nonceEnd + keyMember.length
  const keyEnd = idEnd(buffer, keyAt, end)
  if (keyEnd < 0 || keyEnd + tail.length !== end || !matches(buffer, keyEnd, end, tail)) return undefined
  const idempotencyKey = latin1Text(buffer, keyAt, keyEnd)
  return { command: 'issue', userId, couponId, by, nonce, idempotencyKey }
}

/** Where the id that begins at `at` ends; -1 when there is none of a valid length, or it is `.` or `..`. */
function idEnd(buffer: Buffer, at: number, end: number): number {
  const limit = Math.min(end, at + limits.idLengthMax)
  let stop = at
  while (stop < limit && idByte[buffer[stop] as number] === 1) stop++
  const length = stop - at
  if (length === 0) return -1
  if (length <= 2 && buffer[at] === dot && buffer[stop - 1] === dot) return -1
  return stop
}

const dot = 0x2e

function matches(buffer: Buffer, at: number, end: number, expected: Buffer): boolean {
  if (at + expected.length > end) return false
  for (let index = 0; index < expected.length; index++)
    if (buffer[at + index] !== expected[index]) return false
  return true
}

function isNonce(buffer: Buffer, at: number, end: number): boolean {
  for (let index = at; index < end; index++) {
    const byte = buffer[index] as number
    // 0-9 or a-f; past the end of the buffer it is neither.
    if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false
  }
  return true
}

function sameBytes(buffer: Buffer, at: number, end: number, otherAt: number, otherEnd: number): boolean {
  const length = end - at
  if (otherEnd - otherAt !== length) return false
  for (let index = 0; index < length; index++)
    if (buffer[at + index] !== buffer[otherAt + index]) return false
  return true
}
