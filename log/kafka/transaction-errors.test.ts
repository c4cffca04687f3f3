import { describe, expect, it } from 'vitest'
import { brokerError, knownCodes, nameOfCode } from './broker-errors.ts'
import { endVerdict, ownershipVerdict, sendVerdict } from './transaction-errors.ts'

const passing = [
  -1, 2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 60, 72, 74, 75, 76, 78, 89, 100, 103,
]
const askFirst = [47, 48, 49, 59]

function by(verdict: string, verdictOf: (value: number) => string): number[] {
  return knownCodes.filter((value) => verdictOf(value) === verdict)
}

it('knows codes by the names Kafka gives them', () => {
  expect(nameOfCode(-1)).toBe('UNKNOWN_SERVER_ERROR')
  expect(nameOfCode(0)).toBe('NONE')
  expect(nameOfCode(25)).toBe('UNKNOWN_MEMBER_ID')
  expect(nameOfCode(51)).toBe('CONCURRENT_TRANSACTIONS')
  expect(nameOfCode(90)).toBe('PRODUCER_FENCED')
  expect(nameOfCode(120)).toBe('TRANSACTION_ABORTABLE')
  expect(nameOfCode(129)).toBe('REBOOTSTRAP_REQUIRED')
  expect(nameOfCode(999)).toBe('error 999')
})

it('says of an error that a retry helps where one is tried', () => {
  // What does not exist has to be created first, although it may only not be known yet.
  const retried = by('retry', (value) => brokerError(value, 'topic orders').reaction)
  expect(retried).toEqual(passing.filter((value) => value !== 3))
})

describe('while records and offsets are sent', () => {
  it('retries what passes', () => expect(by('retry', sendVerdict)).toEqual(passing))
  it('takes a stale member for fenced', () => expect(by('fenced', sendVerdict)).toEqual([22, 25, 82]))
  it('asks whose the id is', () => expect(by('ask', sendVerdict)).toEqual([...askFirst, 90]))
  it('goes on only after success', () => expect(by('ok', sendVerdict)).toEqual([0]))
  it('gives up for everything else, codes of tomorrow too', () => {
    const others = knownCodes.length - passing.length - 3 - 5 - 1
    expect(by('abort', sendVerdict)).toHaveLength(others)
    expect(sendVerdict(999)).toBe('abort')
    for (const value of [10, 27, 29, 45, 46, 53, 120]) expect(sendVerdict(value)).toBe('abort')
  })
})

describe('when the transaction is ended', () => {
  it('retries what passes', () => expect(by('retry', endVerdict)).toEqual(passing))
  it('is fenced by a successor only', () => expect(by('fenced', endVerdict)).toEqual([90]))
  it('asks whose the id is', () => expect(by('ask', endVerdict)).toEqual(askFirst))
  it('is decided by success only', () => expect(by('ok', endVerdict)).toEqual([0]))
  it('leaves the outcome open for everything else', () => {
    expect(by('unknown', endVerdict)).toHaveLength(knownCodes.length - passing.length - 1 - 4 - 1)
    expect(endVerdict(999)).toBe('unknown')
  })
})

describe('when asked whose the id is', () => {
  it('is ours after success only', () => expect(by('ours', ownershipVerdict)).toEqual([0]))
  it("is a successor's", () => expect(by('fenced', ownershipVerdict)).toEqual([47, 90]))
  it('retries what passes', () => expect(by('retry', ownershipVerdict)).toEqual(passing))
  it('cannot tell otherwise', () => expect(ownershipVerdict(999)).toBe('unknown'))
})
