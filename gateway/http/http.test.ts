import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MillraceError } from '#core'
import { logErrorCodes, logError } from '#log'
import { preferredType } from './accept.ts'
import { readJson, readNothing } from './body.ts'
import { matches, taggedJson } from './etag.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import { instantText, parseInstant } from './instant.ts'
import { encodeCursor, pageOf } from './paging.ts'
import { waitSeconds } from './prefer.ts'
import { HttpProblem, cannedProblem, problem, problemCodes, problemOf, statusOf } from './problem.ts'
import { traceHeaders } from './traceparent.ts'

const pageWith = (query: Record<string, string>) =>
  pageOf(
    (name) => query[name],
    (text) => text || undefined,
  )

const tagOf = (body: string) => taggedJson(body, undefined).headers.get('etag')

const request = (body: RequestInit['body'], headers: Record<string, string> = {}) =>
  new Request('http://localhost/', {
    method: 'POST',
    body: body ?? null,
    headers,
    duplex: 'half',
  })

describe('Prefer', () => {
  it.each([
    ['wait=5', 5],
    ['Wait = 7', 7],
    ['wait="8"', 8],
    ['wait=0', 0],
    ['wait=31', 30],
    ['respond-async, wait=10', 10],
    ['foo="a, wait=3"; bar=1, wait=4', 4],
    ['wait=2; x=y, wait=9', 2],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['wait=', undefined],
    ['wait', undefined],
    ['wait=1s', undefined],
    ['waiting=5', undefined],
    ['"wait=5"', undefined],
    ['=5, wait=5', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j waits %j', (header, seconds) => expect(waitSeconds(header)).toBe(seconds))

  it('is read in linear time', () => {
    expect(waitSeconds('a'.repeat(8000) + '='.repeat(8000))).toBeUndefined()
    expect(waitSeconds('x;'.repeat(8000) + '"')).toBeUndefined()
    expect(waitSeconds(`x="${'\\"'.repeat(8000)}`)).toBeUndefined()
  })
})

describe('instants', () => {
  it.each([
    ['2026-11-21T09:00:00+09:00', '2026-11-21T00:00:00.000Z'],
    ['2026-11-21T00:00:00Z', '2026-11-21T00:00:00.000Z'],
    ['2026-11-20t19:00:00.1239-05:00', '2026-11-21T00:00:00.123Z'],
    ['2024-02-29T23:59:59.9z', '2024-02-29T23:59:59.900Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:59+23:59', '9999-12-31T00:00:59.000Z'],
  ])('%s is %s', (text, utc) => expect(instantText(parseInstant(text) ?? Number.NaN)).toBe(utc))

  it.each([
    '2026-11-21',
    '2026-11-21T09:00:00',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01 00:00:00Z',
    '1770000000000',
    ' 2026-01-01T00:00:00Z',
    '9999-12-31T23:59:59-23:59',
    '0000-01-01T00:00:00+23:59',
  ])('%s is none', (text) => expect(parseInstant(text)).toBeUndefined())
})

describe('Accept', () => {
  it.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['text/csv', 'csv'],
    ['Text/CSV; header=present', 'csv'],
    ['text/*', 'csv'],
    ['text/csv;q=0.1, application/json', 'json'],
    ['application/json;q=0.1, text/csv;q=0.2', 'csv'],
    ['text/csv, application/json', 'csv'],
    ['application/json, text/csv', 'json'],
    ['text/csv, */*', 'csv'],
    ['text/csv;q=0.5, */*', 'json'],
    ['*/*;q=0.5, text/csv;q=0.6', 'csv'],
    ['text/*, text/csv;q=0', 'json'],
    ['text/*;q=0.9, application/*;q=0.8', 'csv'],
    ['text/csv;q=0', 'json'],
    ['image/png', 'json'],
    ['text/csv;q=x"\\', 'csv'],
  ])('%j gets %s', (header, subtype) => {
    expect(preferredType(header, ['application/json', 'text/csv'])).toMatch(new RegExp(`/${subtype}$`))
  })
})

it('what is printed as an instant is taken as one', () => {
  const first = { min: new Date('0000-01-01'), max: new Date('0000-01-02'), noInvalidDate: true }
  const last = { min: new Date('9999-12-31'), max: new Date('+010000-01-01'), noInvalidDate: true }
  const instants = fc.tuple(fc.oneof(fc.date(first), fc.date(last)), fc.integer())
  fc.assert(
    fc.property(instants, ([date, shift]) => {
      const hours = String(Math.abs(shift % 24)).padStart(2, '0')
      const text = date.toISOString().replace('Z', `${shift < 0 ? '-' : '+'}${hours}:59`)
      const parsed = parseInstant(text)
      if (parsed !== undefined) expect(parseInstant(instantText(parsed))).toBe(parsed)
    }),
    { numRuns: 2000, seed: 3 },
  )
})

describe('pages', () => {
  it('have 50 items unless asked otherwise', () => {
    expect(pageWith({})).toEqual({ limit: 50, after: undefined })
    expect(pageWith({ limit: '500', cursor: encodeCursor('a~b') })).toEqual({ limit: 500, after: 'a~b' })
  })

  it('name every fault', () => {
    expect(() => pageWith({ limit: '01', cursor: 'a b' })).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({
          members: {
            errors: [expect.objectContaining({ path: 'limit' }), expect.objectContaining({ path: 'cursor' })],
          },
        }),
      }),
    )
  })
})

describe('ETags', () => {
  it('compare weakly, in lists and against *', () => {
    expect(matches('W/"a", "b"', '"a"')).toBe(true)
    expect(matches('*', '"a"')).toBe(true)
    expect(matches('"b"', '"a"')).toBe(false)
    expect(matches(undefined, '"a"')).toBe(false)
  })

  it('differ with the body', () => {
    expect(tagOf('{"a":1}')).toBe(tagOf('{"a":1}'))
    expect(tagOf('{"a":1}')).not.toBe(tagOf('{"a":2}'))
  })
})

describe('headers', () => {
  it('read an Idempotency-Key with or without quotes', () => {
    expect(idempotencyKeyOf('"a-1"')).toBe('a-1')
    expect(idempotencyKeyOf('a-1')).toBe('a-1')
    expect(idempotencyKeyOf(undefined)).toBeUndefined()
    expect(() => idempotencyKeyOf('"a')).toThrow(HttpProblem)
  })

  it('carry a trace context on only when it is one', () => {
    const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect(traceHeaders(trace)).toEqual([{ key: 'traceparent', value: trace }])
    expect(traceHeaders('00-x')).toBeUndefined()
    expect(traceHeaders(null)).toBeUndefined()
  })
})

describe('bodies', () => {
  const json = { 'content-type': 'application/json' }

  it('are JSON, whatever the parameters', async () => {
    expect(
      await readJson(request('{"a":1}', { 'content-type': 'Application/JSON; charset="UTF-8"' })),
    ).toEqual({ a: 1 })
    await expect(
      readJson(request('{}', { 'content-type': 'application/json; charset=latin1' })),
    ).rejects.toMatchObject({
      code: 'unsupported-media-type',
    })
  })

  it('have 16 KiB, counted also when they come without a length', async () => {
    const fitting = JSON.stringify('x'.repeat(16 * 1024 - 2))
    expect(await readJson(request(fitting, json))).toHaveLength(16 * 1024 - 2)
    await expect(readJson(request(`${fitting} `, json))).rejects.toMatchObject({ code: 'payload-too-large' })
    await expect(
      readJson(request(`${fitting} `, { ...json, 'content-length': String(fitting.length + 1) })),
    ).rejects.toMatchObject({ code: 'payload-too-large' })
  })

  it('may be left out where none is wanted', async () => {
    await readNothing(new Request('http://localhost/', { method: 'POST' }))
    await readNothing(request('{}', json))
    await expect(readNothing(request('1', json))).rejects.toMatchObject({ code: 'invalid-request' })
  })
})

describe('problems', () => {
  it('come from one catalogue', async () => {
    for (const code of problemCodes) {
      const answer = problem(code, { members: { more: true } })
      expect(answer.status).toBe(statusOf(code))
      expect(await answer.json()).toEqual({
        type: `/problems/${code}`,
        title: expect.any(String),
        status: answer.status,
        detail: expect.any(String),
        code,
        more: true,
      })
    }
  })

  it('can be said again and again', async () => {
    const soldOut = cannedProblem('sold-out', { detail: 'gone' })
    expect(await soldOut().json()).toEqual(await soldOut().json())
    expect(soldOut().headers.get('content-type')).toBe('application/problem+json')
  })

  it('never call an unknown outcome unavailable', () => {
    expect(problemOf(logError('LOG_APPEND_UNKNOWN', ''))?.code).toBe('outcome-unknown')
    for (const code of logErrorCodes) {
      const found = problemOf(logError(code, ''))?.code
      if (code !== 'LOG_APPEND_UNKNOWN') expect(found).not.toBe('outcome-unknown')
    }
    expect(
      problemOf(new MillraceError('OTHER', '', { domain: 'internal', reaction: 'stop' })),
    ).toBeUndefined()
    expect(problemOf(new Error('x'))).toBeUndefined()
  })
})
