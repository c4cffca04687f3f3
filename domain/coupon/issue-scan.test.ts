import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encode } from '#topology'
import { checkCommand, commandSerde } from './command-serde.ts'
import { scanIssue } from './issue-scan.ts'
import { commandArbitrary } from './test-data.ts'

/** What the slow way makes of the bytes; undefined when it refuses them. */
function parsed(buffer: Buffer): unknown {
  try {
    return checkCommand(JSON.parse(buffer.toString()))
  } catch {
    return undefined
  }
}

const issue = {
  command: 'issue',
  couponId: 'c-1',
  userId: 'u~1',
  by: 'u~1',
  nonce: '0123456789abcdef',
} as const

describe('an issue command in our layout', () => {
  test.each([
    ['plain', issue],
    ['by another', { ...issue, by: 'gateway:2' }],
    ['with a key', { ...issue, idempotencyKey: 'k.1' }],
    [
      'of the longest ids',
      { ...issue, couponId: 'c'.repeat(128), userId: 'u'.repeat(128), by: 'u'.repeat(128) },
    ],
  ])('%s is read without parsing', (_, command) => {
    const buffer = encode(commandSerde, command)
    expect(scanIssue(buffer, 0, buffer.length)).toEqual(command)
  })

  test('is read from the middle of a buffer, and no further than its end', () => {
    const value = encode(commandSerde, issue)
    const buffer = Buffer.concat([Buffer.from('"}'), value, Buffer.from('"}')])
    expect(scanIssue(buffer, 2, 2 + value.length)).toEqual(issue)
    for (let end = 2; end < 2 + value.length; end++) expect(scanIssue(buffer, 2, end)).toBe(undefined)
  })
})

test('random commands are read as JSON.parse and the check read them', () => {
  fc.assert(
    fc.property(commandArbitrary, (command) => {
      const buffer = encode(commandSerde, command)
      const scanned = scanIssue(buffer, 0, buffer.length)
      if (scanned !== undefined) expect(scanned).toEqual(parsed(buffer))
      expect(commandSerde.read(buffer, 0, buffer.length)).toEqual(parsed(buffer))
    }),
  )
})

test('damaged commands are never taken for what the slow way does not see', () => {
  const bytes = encode(commandSerde, { ...issue, idempotencyKey: 'k.1' })
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.constantFrom(...Buffer.from('"\\,:.{}[]au0 \u0001\u00e9')),
      fc.constantFrom('replace', 'insert', 'delete'),
      (at, byte, how) => {
        const rest = how === 'insert' ? at : at + 1
        const damage = how === 'delete' ? [] : [byte]
        const buffer = Buffer.concat([bytes.subarray(0, at), Buffer.from(damage), bytes.subarray(rest)])
        const scanned = scanIssue(buffer, 0, buffer.length)
        if (scanned !== undefined) expect(scanned).toEqual(parsed(buffer))
      },
    ),
    { numRuns: 3000 },
  )
})
