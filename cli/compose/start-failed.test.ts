import { expect, it } from 'vitest'
import { MillraceError } from '#core'
import { readSettings } from '../settings.ts'
import { startFailed } from './start-failed.ts'
import type { DirectoryVariable } from './start-failed.ts'

const settings = readSettings({
  STATE_DIR: '/srv/state',
  PARTITIONS: '8',
  LOG_URL: 'kafka://h',
  REPLICATION_FACTOR: '3',
})

function failed(code: string, variable: DirectoryVariable, context = {}): MillraceError {
  const cause = new MillraceError(code, 'It does\nnot work.', {
    domain: 'external',
    reaction: 'stop',
    context,
  })
  return startFailed(cause, variable, settings) as MillraceError
}

it.each([
  ['LOG_IN_USE', 'LOG_URL'],
  ['PROCESSOR_STATE_IN_USE', 'STATE_DIR'],
  ['STATE_LOCKED', 'STATE_DIR'],
  ['ROCKSDB_LOCKED', 'VIEW_DIR'],
  ['ROCKSDB_LOCKED', 'DATABASE_URL'],
] as const)('names the variable to change after %s, in one line', (code, variable) => {
  const found = failed(code, variable)
  expect(found.code).toBe('CLI_DIRECTORY_IN_USE')
  expect(found.message).toContain(`set ${variable}`)
  expect(found.message).not.toContain('\n')
})

it.each([
  ['DIRECTORY_FOREIGN', 'STATE_DIR'],
  ['DIRECTORY_FAILED', 'LOG_URL'],
  ['ROCKSDB_FAILED', 'VIEW_DIR'],
  ['LOG_CORRUPT', 'LOG_URL'],
] as const)('names the variable whose directory is to blame for %s, in one line', (code, variable) => {
  expect(failed(code, variable)).toMatchObject({ code, message: `${variable}: It does not work.` })
})

it.each([
  ['coupon-issue has 4 partitions, expected 8', 'PARTITIONS=8: '],
  ['coupon-issue has partitions 4 instead of 8', 'PARTITIONS=8: '],
  ['coupon-issue has replicationFactor 1 instead of 3', 'REPLICATION_FACTOR=3: '],
  ['coupon-issue.dlq has retentionMs=1, expected 2', 'DEAD_LETTER_RETENTION: '],
])('names the variable after topics that differ: %s', (difference, start) => {
  const found = failed('LOG_TOPIC_MISMATCH', 'LOG_URL', { differences: [difference] })
  expect(found.message.startsWith(start)).toBe(true)
})

it('counts a Kafka URL that cannot be right as a wrong setting', () => {
  expect(failed('LOG_INVALID_REQUEST', 'LOG_URL')).toMatchObject({
    code: 'CLI_INVALID_SETTINGS',
    message: 'LOG_URL: It does not work.',
  })
  expect(failed('LOG_UNAUTHORIZED', 'STATE_DIR').message).toMatch(/^LOG_URL: /)
})

it('names APP_ID when the results are of another application', () => {
  expect(failed('PROCESSOR_OTHER_APP', 'STATE_DIR').message).toMatch(/^APP_ID: /)
})

it('leaves other errors as they are', () => {
  const other = new Error('other')
  expect(startFailed(other, 'LOG_URL', settings)).toBe(other)
})
