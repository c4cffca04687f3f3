/**
 * What followers of `coupon-result` need of every record, read from the bytes: a gateway follows all results but
 * answers few of them, so it must not parse them. A record that does not begin (for `peekCounts`: end) as our writer's
 * do is parsed instead; one that does is taken as ours throughout.
 */
import type { CommandName, CouponResult, Outcome } from './messages.ts'

export interface ResultPeek {
  /** Of the command. */
  partition: number
  offset: number
  command: CommandName
  outcome: Outcome
  hasIdempotencyKey: boolean
}

export interface ResultCounts {
  decidedAt: number
  /** Undefined where the coupon is unknown. */
  remaining: number | undefined
  version: number | undefined
}

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')
const partitionMember = ascii('{"partition":')
const offsetMember = ascii(',"offset":')
const nonceMember = ascii(',"nonce":"')
const commandMember = ascii('","command":"')
const keyMember = ascii('","idempotencyKey":"')
const userMember = ascii('","userId":"')
const decidedAtMember = ascii(',"decidedAt":')
const remainingMember = ascii(',"remaining":')
const versionMember = ascii(',"version":')
const end = ascii('}')

const commandNames: readonly CommandName[] = [
  'issue',
  'cancel',
  'open',
  'restock',
  'pause',
  'resume',
  'close',
]
const commands = commandNames.map((name) => ({ name, bytes: ascii(`${name}","outcome":"`) }))
const outcomeNames: readonly Outcome[] = ['issued', 'rejected', 'repeat', 'cancelled', 'done', 'unchanged']
const outcomes = outcomeNames.map((name) => ({ name, bytes: ascii(name) }))

const nonceLength = 16
/** 15 digits are always safe integers; longer ones are left to JSON.parse. */
const digitsMax = 15

/**
 * The head of one result, `buffer[start, stop)`. `into` is filled and returned: hand in the same object for every
 * record. Throws like JSON.parse on what is not JSON, if it does not begin as our writer begins.
 */
export function peekResult(
  buffer: Buffer,
  start: number,
  stop: number,
  into: ResultPeek = {
    partition: 0,
    offset: 0,
    command: 'issue',
    outcome: 'issued',
    hasIdempotencyKey: false,
  },
): ResultPeek {
  return scanHead(buffer, start, stop, into) ? into : parseHead(buffer, start, stop, into)
}

/** The nonce of one result. */
export function peekNonce(buffer: Buffer, start: number, stop: number): string {
  const at = nonceAt(buffer, start, stop)
  return at < 0 ? parsed(buffer, start, stop).nonce : buffer.toString('latin1', at, at + nonceLength)
}

/** The tail of one result: when it was decided and what was left of the coupon. `into` as in `peekResult`. */
export function peekCounts(
  buffer: Buffer,
  start: number,
  stop: number,
  into: ResultCounts = { decidedAt: 0, remaining: undefined, version: undefined },
): ResultCounts {
  return scanTail(buffer, start, stop, into) ? into : parseTail(buffer, start, stop, into)
}

function scanHead(buffer: Buffer, start: number, stop: number, into: ResultPeek): boolean {
  const nonce = nonceAt(buffer, start, stop)
  if (nonce < 0) return false
  const partitionAt = start + partitionMember.length
  const partitionEnd = digitsEnd(buffer, partitionAt, stop)
  const offsetAt = partitionEnd + offsetMember.length
  const offsetEnd = nonce - nonceMember.length

  const commandAt = nonce + nonceLength + commandMember.length
  if (!holds(buffer, nonce + nonceLength, stop, commandMember)) return false
  const command = commands.find((each) => holds(buffer, commandAt, stop, each.bytes))
  if (command === undefined) return false
  const outcomeAt = commandAt + command.bytes.length
  const outcome = outcomes.find((each) => holds(buffer, outcomeAt, stop, each.bytes))
  if (outcome === undefined) return false

  const outcomeEnd = outcomeAt + outcome.bytes.length
  const hasKey = holds(buffer, outcomeEnd, stop, keyMember)
  if (!hasKey && !holds(buffer, outcomeEnd, stop, userMember)) return false
  into.partition = numberAt(buffer, partitionAt, partitionEnd)
  into.offset = numberAt(buffer, offsetAt, offsetEnd)
  into.command = command.name
  into.outcome = outcome.name
  into.hasIdempotencyKey = hasKey
  return true
}

/** Where the nonce's 16 hex digits begin; -1 when the record does not begin in our layout. */
function nonceAt(buffer: Buffer, start: number, stop: number): number {
  if (!holds(buffer, start, stop, partitionMember)) return -1
  const partitionAt = start + partitionMember.length
  const partitionEnd = digitsEnd(buffer, partitionAt, stop)
  if (partitionEnd < 0 || !holds(buffer, partitionEnd, stop, offsetMember)) return -1
  const offsetEnd = digitsEnd(buffer, partitionEnd + offsetMember.length, stop)
  if (offsetEnd < 0 || !holds(buffer, offsetEnd, stop, nonceMember)) return -1
  const at = offsetEnd + nonceMember.length
  if (at + nonceLength >= stop || buffer[at + nonceLength] !== 0x22) return -1
  for (let index = at; index < at + nonceLength; index++) {
    if (!isHexDigit(buffer[index] as number)) return -1
  }
  return at
}

/**
 * Reads backwards; a structural `,"version":` cannot stand inside a JSON string, whose quotes are escaped. A tail
 * without counts is parsed: it is rare, and they might stand elsewhere.
 */
function scanTail(buffer: Buffer, start: number, stop: number, into: ResultCounts): boolean {
  if (!endsWith(buffer, start, stop, end)) return false
  const versionEnd = stop - end.length
  const versionAt = numberAfter(buffer, start, versionEnd, versionMember)
  if (versionAt < 0) return false
  const remainingEnd = versionAt - versionMember.length
  const remainingAt = numberAfter(buffer, start, remainingEnd, remainingMember)
  if (remainingAt < 0) return false
  const decidedEnd = remainingAt - remainingMember.length
  const decidedAt = numberAfter(buffer, start, decidedEnd, decidedAtMember)
  if (decidedAt < 0) return false
  into.decidedAt = numberAt(buffer, decidedAt, decidedEnd)
  into.remaining = numberAt(buffer, remainingAt, remainingEnd)
  into.version = numberAt(buffer, versionAt, versionEnd)
  return true
}

function parseHead(buffer: Buffer, start: number, stop: number, into: ResultPeek): ResultPeek {
  const result = parsed(buffer, start, stop)
  into.partition = result.partition
  into.offset = result.offset
  into.command = result.command
  into.outcome = result.outcome
  into.hasIdempotencyKey = result.idempotencyKey !== undefined
  return into
}

function parseTail(buffer: Buffer, start: number, stop: number, into: ResultCounts): ResultCounts {
  const result = parsed(buffer, start, stop)
  into.decidedAt = result.decidedAt
  into.remaining = result.remaining
  into.version = result.version
  return into
}

function parsed(buffer: Buffer, start: number, stop: number): CouponResult {
  return JSON.parse(buffer.toString('utf8', start, stop)) as CouponResult
}

function holds(buffer: Buffer, at: number, stop: number, bytes: Buffer): boolean {
  if (at + bytes.length > stop) return false
  for (let index = 0; index < bytes.length; index++) {
    if (buffer[at + index] !== bytes[index]) return false
  }
  return true
}

function endsWith(buffer: Buffer, start: number, stop: number, bytes: Buffer): boolean {
  return stop - bytes.length >= start && holds(buffer, stop - bytes.length, stop, bytes)
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x66)
}

/** The end of the number's digits at `at`; -1 when they are not a JSON integer of at most 15 digits. */
function digitsEnd(buffer: Buffer, at: number, stop: number): number {
  let index = at
  while (index < stop && isDigit(buffer[index] as number)) index++
  return isSafeLength(buffer, at, index) ? index : -1
}

/** The start of the number that ends at `stop`; -1 when it is none of ours, or `member` is not before it. */
function numberAfter(buffer: Buffer, start: number, stop: number, member: Buffer): number {
  let at = stop
  while (at > start && isDigit(buffer[at - 1] as number)) at--
  return isSafeLength(buffer, at, stop) && endsWith(buffer, start, at, member) ? at : -1
}

function isSafeLength(buffer: Buffer, at: number, stop: number): boolean {
  const digits = stop - at
  return digits >= 1 && digits <= digitsMax && (digits === 1 || buffer[at] !== 0x30)
}

function numberAt(buffer: Buffer, at: number, stop: number): number {
  let value = 0
  for (let index = at; index < stop; index++) value = value * 10 + ((buffer[index] as number) - 0x30)
  return value
}
