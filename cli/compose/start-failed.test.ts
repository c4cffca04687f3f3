import { expect, it } from 'vitest'
import { MillraceError } from '#core'
import { readSettings } from '../settings.ts'
import { startFailed } from './start-failed.ts'

const settings = readSettings({ STATE_DIR: '/srv/state' })

it.each([
  ['LOG_IN_USE', 'LOG_URL'],
  ['PROCESSOR_STATE_IN_USE', 'STATE_DIR'],
  ['ROCKSDB_LOCKED', 'VIEW_DIR'],
])('names the variable to change after %s, in one line', (code, variable) => {
  const cause = new MillraceError(code, 'in use', { domain: 'external', reaction: 'stop' })
  const found = startFailed(cause, settings) as MillraceError
  expect(found.code).toBe('CLI_DIRECTORY_IN_USE')
  expect(found.message).toContain(variable)
  expect(found.message).not.toContain('\n')
})

it('leaves other errors as they are', () => {
  const other = new Error('other')
  expect(startFailed(other, settings)).toBe(other)
})
