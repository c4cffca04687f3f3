import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '#topology'
import type { CouponResult } from './messages.ts'
import { peekCounts, peekNonce, peekResult } from './result-scan.ts'
import { resultSerde } from './result-serde.ts'
import { nonceOf, resultArbitrary } from './test-data.ts'

/** The result's bytes amid others, as in a fetched batch. */
function amid(bytes: Buffer): { buffer: Buffer; start: number; stop: number } {
  return {
    buffer: Buffer.concat([Buffer.from('}7'), bytes, Buffer.from('0}')]),
    start: 2,
    stop: 2 + bytes.length,
  }
}

function expectAgreement(bytes: Buffer): void {
  const { buffer, start, stop } = amid(bytes)
  const { partition, offset, command, outcome, nonce, idempotencyKey, decidedAt, remaining, version } =
    JSON.parse(bytes.toString()) as CouponResult
  const hasIdempotencyKey = idempotencyKey !== undefined
  expect(peekResult(buffer, start, stop)).toEqual({ partition, offset, command, outcome, hasIdempotencyKey })
  expect(peekNonce(buffer, start, stop)).toBe(nonce)
  expect(peekCounts(buffer, start, stop)).toEqual({ decidedAt, remaining, version })
}

describe('peeking at a result', () => {
  it('agrees with JSON.parse on what we write', () => {
    fc.assert(
      fc.property(resultArbitrary, (result) => expectAgreement(encode(resultSerde, result))),
      { numRuns: 1000 },
    )
  })

  it('agrees with JSON.parse on what others write', () => {
    const written = resultArbitrary.chain((result) =>
      fc
        .tuple(fc.shuffledSubarray(Object.keys(result), { minLength: Object.keys(result).length }), fc.nat(2))
        .map(([members, space]) => {
          const shuffled = Object.fromEntries(
            members.map((name) => [name, result[name as keyof CouponResult]]),
          )
          return Buffer.from(JSON.stringify(shuffled, undefined, space))
        }),
    )
    // Only our writer begins so and then has no key; whoever imitates it is trusted.
    const imitation = /^\{"partition":\d+,"offset":\d+,"nonce":"\w+","command":"\w+","outcome":"\w+","userId"/
    const foreign = written.filter((bytes) => !imitation.test(bytes.toString()))
    fc.assert(fc.property(foreign, expectAgreement), { numRuns: 1000 })
  })

  const result: CouponResult = {
    partition: 3,
    offset: 12,
    nonce: nonceOf(255),
    command: 'issue',
    outcome: 'issued',
    couponId: 'c',
    userId: 'u',
    decidedAt: 5,
    remaining: 0,
    version: 7,
  }

  const { remaining: _remaining, version: _version, ...uncounted } = result

  it('agrees with JSON.parse on members in the order of the message', () => {
    expectAgreement(Buffer.from(JSON.stringify({ ...result, idempotencyKey: 'k' })))
  })

  it.each([
    ['a number of 16 digits', { ...result, offset: Number.MAX_SAFE_INTEGER }],
    ['no counts at the end', uncounted],
    ['a negative time', { ...result, decidedAt: -5 }],
    ['a nonce that is none', { ...result, nonce: 'g'.repeat(16) }],
    ['a nonce with a quote', { ...result, nonce: '"'.repeat(16) }],
    [
      'a user who tries to look like an end',
      { ...result, userId: ',"decidedAt":1,"remaining":2,"version":3}' },
    ],
  ])('agrees with JSON.parse on %s', (_what, odd) => expectAgreement(encode(resultSerde, odd)))

  it('does not parse what we write', () => {
    const bytes = encode(resultSerde, result)
    const spoilt = Buffer.concat([bytes.subarray(0, -1), Buffer.from('!')])
    expect(() => JSON.parse(spoilt.toString())).toThrow(SyntaxError)
    expect(peekResult(spoilt, 0, spoilt.length).offset).toBe(12)
    const half = Buffer.concat([Buffer.from('!'), bytes.subarray(1)])
    expect(peekCounts(half, 0, half.length)).toEqual({ decidedAt: 5, remaining: 0, version: 7 })
  })

  it('throws on what is cut short before the outcome', () => {
    const bytes = encode(resultSerde, result)
    expect(() => peekResult(bytes, 0, 30)).toThrow(SyntaxError)
    expect(() => peekNonce(bytes, 0, 40)).toThrow(SyntaxError)
    expect(() => peekCounts(bytes, 0, bytes.length - 1)).toThrow(SyntaxError)
  })

  it('fills the object that is handed in', () => {
    const bytes = encode(resultSerde, result)
    const into = peekResult(bytes, 0, bytes.length)
    const more = encode(resultSerde, { ...result, offset: 13, idempotencyKey: 'k' })
    expect(peekResult(more, 0, more.length, into)).toBe(into)
    expect(into).toMatchObject({ offset: 13, hasIdempotencyKey: true })
  })
})
