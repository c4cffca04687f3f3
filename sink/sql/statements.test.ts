import { expect, it } from 'vitest'
import { opened, result } from '../testing/results.ts'
import { arrayLiteral } from './database.ts'
import { foldRows } from './fold-rows.ts'
import { statementsOf } from './statements.ts'

it('writes arrays as PostgreSQL reads them', () => {
  expect(arrayLiteral([])).toBe('{}')
  expect(arrayLiteral([1, null, 2.5, true])).toBe('{1,NULL,2.5,true}')
  expect(arrayLiteral(['a', '', 'NULL', 'a "b" \\c,{d}'])).toBe('{"a","","NULL","a \\"b\\" \\\\c,{d}"}')
})

it('replaces NUL, which PostgreSQL cannot store', () => {
  expect(arrayLiteral(['a\0b'])).toBe('{"a\u{FFFD}b"}')
})

it('makes one statement a table and batch, with an array a column', () => {
  const issues = Array.from({ length: 100 }, (_, index) =>
    result({ offset: index + 1, outcome: 'issued', sequence: index + 1, slot: 1, userId: `u${index}` }),
  )
  const rejection = result({ offset: 200, outcome: 'rejected', reason: 'sold-out' })
  const changes = foldRows([opened(0), ...issues, rejection], { topicVersion: 1, rejectedSince: 0 })
  const statements = statementsOf(changes)
  expect(statements.map(({ table }) => table)).toEqual(['coupon', 'coupon_issue', 'claim_rejected'])
  for (const { text, parameters } of statements) expect(text).toContain(`$${parameters.length}::text::`)
  expect(statements[1]?.parameters[3]).toBe(`{${issues.map(({ sequence }) => sequence).join(',')}}`)
})

it('frees slots before it fills them', () => {
  const back = result({ offset: 9, outcome: 'cancelled', command: 'cancel', claimId: 'x', sequence: 1 })
  const again = result({ offset: 10, outcome: 'issued', sequence: 2, slot: 1 })
  const [first, second, ...rest] = statementsOf(
    foldRows([back, again], { topicVersion: 1, rejectedSince: 0 }),
  )
  expect(first?.text).toMatch(/^update coupon_issue set cancelled_at/)
  expect(second?.text).toMatch(/^insert into coupon_issue/)
  expect(rest).toEqual([])
})

it('asks for nothing when nothing changed', () => {
  expect(statementsOf(foldRows([], { topicVersion: 1, rejectedSince: 0 }))).toEqual([])
})
