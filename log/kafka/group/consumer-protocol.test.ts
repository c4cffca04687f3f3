import { expect, test } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts'

const plain = (hex: string): string => hex.replaceAll(/\s/g, '')

test('a subscription is ConsumerProtocolSubscription version 2', () => {
  const subscription = {
    topics: ['a', 'bc'],
    userData: Uint8Array.of(7, 8),
    owned: [
      { topic: 'a', partition: 1 },
      { topic: 'bc', partition: 0 },
      { topic: 'a', partition: 2 },
    ],
    generation: 5,
  }
  const bytes = encodeSubscription(subscription)
  expect(bytes.toString('hex')).toBe(
    plain(`0002
      00000002 0001 61 0002 6263
      00000002 0708
      00000002 0001 61 00000002 00000001 00000002 0002 6263 00000001 00000000
      00000005`),
  )
  expect(decodeSubscription(bytes)).toEqual({
    ...subscription,
    owned: [
      { topic: 'a', partition: 1 },
      { topic: 'a', partition: 2 },
      { topic: 'bc', partition: 0 },
    ],
  })
})

test("an older consumer's subscription owns nothing, in no generation", () => {
  const bytes = Buffer.from(plain('0000 00000001 0001 61 ffffffff'), 'hex')
  expect(decodeSubscription(bytes)).toEqual({
    topics: ['a'],
    userData: new Uint8Array(),
    owned: [],
    generation: -1,
  })
})

test('an assignment is ConsumerProtocolAssignment version 0', () => {
  const assignment = { partitions: [{ topic: 'a', partition: 3 }], userData: Uint8Array.of(9) }
  const bytes = encodeAssignment(assignment)
  expect(bytes.toString('hex')).toBe(plain('0000 00000001 0001 61 00000001 00000003 00000001 09'))
  expect(decodeAssignment(bytes)).toEqual(assignment)
  expect(decodeAssignment(Buffer.alloc(0))).toEqual({ partitions: [], userData: new Uint8Array() })
})

test('a cut one is refused', () => {
  const bytes = encodeAssignment({ partitions: [{ topic: 'a', partition: 3 }], userData: Uint8Array.of(9) })
  expect(() => decodeAssignment(bytes.subarray(0, -1))).toThrow(RangeError)
})
