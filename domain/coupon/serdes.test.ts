import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '#topology'
import { commandSerde } from './command-serde.ts'
import type { CouponCommand } from './messages.ts'
import { resultSerde } from './result-serde.ts'
import { statusSerde } from './status-serde.ts'
import { terms } from './test-coupons.ts'
import { commandArbitrary, nonceOf, resultArbitrary, statusArbitrary } from './test-data.ts'

/** The same value with its members in another order. */
function turned<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).toReversed()) as T
}

/** Reads a value as the log would hold it. */
function read(value: unknown): CouponCommand {
  return decode(commandSerde, Buffer.from(JSON.stringify(value)))
}

describe('commands', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(commandArbitrary, (command) => {
        const bytes = encode(commandSerde, command)
        expect(decode(commandSerde, bytes)).toEqual(command)
        expect(JSON.parse(bytes.toString())).toEqual(command)
      }),
    )
  })

  it('have the same bytes when they are equal', () => {
    fc.assert(
      fc.property(commandArbitrary, (command) => {
        expect(encode(commandSerde, turned(command))).toEqual(encode(commandSerde, command))
      }),
    )
  })

  const issue: CouponCommand = { command: 'issue', couponId: 'c', userId: 'u', by: 'u', nonce: nonceOf(1) }
  const open: CouponCommand = { command: 'open', couponId: 'c', by: 'op', nonce: nonceOf(1), terms: terms() }
  const restock: CouponCommand = { command: 'restock', couponId: 'c', by: 'op', nonce: nonceOf(1), add: 1 }

  it('may have members that we do not know, which are left out', () => {
    expect(read({ ...issue, later: 1 })).toEqual(issue)
  })

  it.each([
    ['not an object', [issue]],
    ['null', null],
    ['an unknown command', { ...issue, command: 'grant' }],
    ['no coupon', { ...issue, couponId: undefined }],
    ['a coupon id with a slash', { ...issue, couponId: 'a/b' }],
    ['a coupon id of two dots', { ...issue, couponId: '..' }],
    ['a user id that is a number', { ...issue, userId: 7 }],
    ['a user id of 129 characters', { ...issue, userId: 'u'.repeat(129) }],
    ['no user', { ...issue, userId: undefined }],
    ['an empty name of who asked', { ...issue, by: '' }],
    ['a nonce in capitals', { ...issue, nonce: 'ABCDEF0123456789' }],
    ['a key with a space', { ...issue, idempotencyKey: 'a b' }],
    ['a cancel without a claim', { ...issue, command: 'cancel' }],
    ['no terms', { ...open, terms: undefined }],
    ['a negative stock', { ...open, terms: terms({ stock: -1 }) }],
    ['a stock beyond 1e12', { ...open, terms: terms({ stock: 1e12 + 1 }) }],
    ['a fraction of stock', { ...open, terms: terms({ stock: 0.5 }) }],
    ['a limit of 0', { ...open, terms: terms({ perUserLimit: 0 }) }],
    ['a limit of 1001', { ...open, terms: terms({ perUserLimit: 1001 }) }],
    ['an empty name', { ...open, terms: terms({ name: '' }) }],
    ['a name of 201 characters', { ...open, terms: terms({ name: 'é'.repeat(201) }) }],
    ['half a character as name', { ...open, terms: terms({ name: '\ud83d' }) }],
    ['an end at the start', { ...open, terms: terms({ startsAt: 5, endsAt: 5 }) }],
    ['a start that is text', { ...open, terms: { ...terms(), startsAt: '5' } }],
    ['a discount of 101 percent', { ...open, terms: terms({ discount: { percent: 101 } }) }],
    ['a discount without currency', { ...open, terms: { ...terms(), discount: { amount: 5 } } }],
    ['nothing to add', { ...restock, add: 0 }],
    ['1e12 + 1 to add', { ...restock, add: 1e12 + 1 }],
  ])('are refused: %s', (_what, value) => {
    expect(() => read(value)).toThrow(expect.objectContaining({ code: 'COUPON_COMMAND_INVALID' }))
  })

  it('are accepted at their limits', () => {
    const edge = terms({ stock: 1e12, perUserLimit: 1000, name: '🎟'.repeat(200), startsAt: -1, endsAt: 0 })
    expect(read({ ...open, terms: edge })).toEqual({ ...open, terms: edge })
    expect(read({ ...restock, add: 1e12 })).toEqual({ ...restock, add: 1e12 })
    expect(read({ ...issue, userId: '~'.repeat(128) })).toEqual({ ...issue, userId: '~'.repeat(128) })
  })
})

describe('results and statuses', () => {
  it('come back as they were written, with the same bytes when equal', () => {
    fc.assert(
      fc.property(resultArbitrary, (result) => {
        const bytes = encode(resultSerde, result)
        expect(decode(resultSerde, bytes)).toEqual(result)
        expect(encode(resultSerde, turned(result))).toEqual(bytes)
      }),
    )
    fc.assert(
      fc.property(statusArbitrary, (status) => {
        const bytes = encode(statusSerde, status)
        expect(decode(statusSerde, bytes)).toEqual(status)
        expect(encode(statusSerde, turned(status))).toEqual(bytes)
      }),
    )
  })
})
