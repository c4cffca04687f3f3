import { stripVTControlCharacters } from 'node:util'
import { expect, it } from 'vitest'
import { readableLine } from './logger.ts'

it('prints one readable line for a JSON line', () => {
  const line = JSON.stringify({
    level: 40,
    time: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    worker: 'engine',
    msg: 'store is away',
    store: 'postgres',
    attempt: 3,
  })
  const text = stripVTControlCharacters(readableLine(line))
  expect(text).toBe('03:04:05.006 warn  [engine] store is away  store=postgres attempt=3\n')
})

it('adds the stack of an error', () => {
  const line = JSON.stringify({
    level: 50,
    time: 0,
    worker: 'main',
    msg: 'failed',
    error: { message: 'x', stack: 'Error: x\n  at y' },
  })
  expect(stripVTControlCharacters(readableLine(line))).toContain('failed  error=x\nError: x\n  at y\n')
})
