/** What a task keeps of each coupon and of each user's pieces, and how it lies in the stores. */
import type { ByteReader, ByteWriter } from '#core'
import { readerOf } from '#topology'
import type { Serde } from '#topology'
import { termsText } from './coupon-json.ts'
import type { CouponSnapshot, OpeningTerms } from './messages.ts'

/** Immutable: the stores keep references for rollback. */
export interface CouponState {
  /** As opened: asking again compares with these. */
  readonly terms: OpeningTerms
  /** All ever put in. */
  readonly stock: number
  /** Pieces held now. */
  readonly held: number
  /** The last sequence given out; never falls. */
  readonly sequence: number
  readonly paused: boolean
  readonly closed: boolean
  readonly openedAt: number
  readonly version: number
}

/** One piece of one user, with the place of its claim. */
export interface Holding {
  readonly sequence: number
  readonly slot: number
  readonly nonce: string
  readonly topicVersion: number
  readonly partition: number
  readonly offset: number
}

/** In the order in which they were issued, so by sequence. */
export type Holdings = readonly Holding[]

export const noHoldings: Holdings = []

export function remainingOf(coupon: CouponState): number {
  return coupon.stock - coupon.held
}

export function snapshotOf(couponId: string, coupon: CouponState): CouponSnapshot {
  const { name, perUserLimit, startsAt, endsAt, discount, validUntil } = coupon.terms
  return {
    couponId,
    version: coupon.version,
    name,
    stock: coupon.stock,
    remaining: remainingOf(coupon),
    perUserLimit,
    startsAt,
    endsAt,
    discount,
    validUntil,
    paused: coupon.paused,
    closed: coupon.closed,
    openedAt: coupon.openedAt,
  }
}

const pausedBit = 1
const closedBit = 2

/**
 * 1 byte of flags, then varints: stock, held, sequence, version, openedAt; then the terms as JSON to the end, which
 * are encoded once for all states that share them.
 */
export const couponStateSerde: Serde<CouponState> = {
  name: 'coupon-state',
  write(coupon, out) {
    out.u8((coupon.paused ? pausedBit : 0) | (coupon.closed ? closedBit : 0))
    out.uvarint(coupon.stock)
    out.uvarint(coupon.held)
    out.uvarint(coupon.sequence)
    out.uvarint(coupon.version)
    out.varint(coupon.openedAt)
    out.bytes(termsBytes(coupon.terms))
  },
  read(buffer, start, end) {
    const reader = readerOf(buffer, start, end)
    const flags = reader.u8()
    const stock = reader.uvarint()
    const held = reader.uvarint()
    const sequence = reader.uvarint()
    const version = reader.uvarint()
    const openedAt = reader.varint()
    const terms = JSON.parse(buffer.toString('utf8', reader.position, end)) as OpeningTerms
    const paused = (flags & pausedBit) !== 0
    const closed = (flags & closedBit) !== 0
    return { terms, stock, held, sequence, paused, closed, openedAt, version }
  },
}

const encodedTerms = new WeakMap<OpeningTerms, Buffer>()

function termsBytes(terms: OpeningTerms): Buffer {
  let bytes = encodedTerms.get(terms)
  if (bytes === undefined) {
    bytes = Buffer.from(termsText(terms))
    encodedTerms.set(terms, bytes)
  }
  return bytes
}

/** Varint count, then for each piece: varints sequence, slot, topic version, partition, offset; 8 bytes nonce. */
export const holdingsSerde: Serde<Holdings> = {
  name: 'coupon-holdings',
  write(holdings, out) {
    out.uvarint(holdings.length)
    for (const holding of holdings) writeHolding(holding, out)
  },
  read(buffer, start, end) {
    const reader = readerOf(buffer, start, end)
    const count = reader.uvarint()
    const holdings: Holding[] = []
    for (let index = 0; index < count; index++) holdings.push(readHolding(reader))
    return holdings
  },
}

function writeHolding(holding: Holding, out: ByteWriter): void {
  out.uvarint(holding.sequence)
  out.uvarint(holding.slot)
  out.uvarint(holding.topicVersion)
  out.uvarint(holding.partition)
  out.uvarint(holding.offset)
  writeHex(holding.nonce, out)
}

/** Two digits a byte; the serde of commands has seen that they are hexadecimal, lower case. */
function writeHex(digits: string, out: ByteWriter): void {
  for (let at = 0; at < digits.length; at += 2) {
    out.u8((hexDigit(digits.charCodeAt(at)) << 4) | hexDigit(digits.charCodeAt(at + 1)))
  }
}

function hexDigit(code: number): number {
  return code <= nine ? code - zero : code - letterA + 10
}

const zero = 0x30
const nine = 0x39
const letterA = 0x61

function readHolding(reader: ByteReader): Holding {
  const sequence = reader.uvarint()
  const slot = reader.uvarint()
  const topicVersion = reader.uvarint()
  const partition = reader.uvarint()
  const offset = reader.uvarint()
  const nonce = reader.view(8).toString('hex')
  return { sequence, slot, nonce, topicVersion, partition, offset }
}
