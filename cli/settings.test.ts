import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isMillraceError } from '#core'
import type { ProcessKind } from './process-kinds.ts'
import { effectiveSettings, readSettings, settingsMarkdown, settingsTable } from './settings.ts'

function mistakesOf(
  environment: Record<string, string>,
  kind?: ProcessKind,
): { code: string; lines: string[] } {
  try {
    readSettings(environment, kind)
  } catch (error) {
    if (isMillraceError(error)) return { code: error.code, lines: error.message.split('\n') }
  }
  throw new Error('these settings are right')
}

describe('readSettings', () => {
  it('has a default for everything that is needed', () => {
    const settings = readSettings({})
    expect(settings.port).toBe(8080)
    expect(settings.logUrl).toEqual({ kind: 'embedded', directory: resolve('data/log') })
    expect(settings.databaseUrl).toEqual({ kind: 'pglite', directory: resolve('data/postgres') })
    expect(settings.redisUrl).toBeUndefined()
    expect(settings.idempotencyRetentionMs).toBe(86_400_000)
  })

  it('counts an empty variable as not set, and ignores variables it does not know', () => {
    expect(readSettings({ PORT: '', REDIS_URL: ' ', MILLRACE_FANCY: '1' }).port).toBe(8080)
  })

  it('names every mistake at once, a line each, with what is allowed and what was given', () => {
    const { code, lines } = mistakesOf({ PORT: '99999', RESULT_RETENTION: '7 weeks', LOG_LEVEL: 'loud' })
    expect(code).toBe('CLI_INVALID_SETTINGS')
    expect(lines).toEqual([
      'PORT: must be a whole number from 0 to 65535; it is "99999".',
      'RESULT_RETENTION: must be a duration of at least 1m, such as 500ms, 30s, 15m, 24h or 7d; it is "7 weeks".',
      'LOG_LEVEL: must be one of debug, info, warn, error; it is "loud".',
    ])
  })

  it.each(['kafka://localhost', 'kafka://ann:pw@h1:9092,h2:9093?sasl=plain', 'kafka://[::1]:9092/'])(
    'takes %s',
    (url) => expect(readSettings({ LOG_URL: url }).logUrl).toEqual({ kind: 'kafka', url }),
  )

  it.each(['kafka://', 'kafka://h1:port', 'kafka:h1', 'kafka://h1,,h2', 'embedded:', 'data/log'])(
    'refuses %s as a log',
    (url) =>
      expect(mistakesOf({ LOG_URL: url }).lines).toEqual([
        `LOG_URL: must be embedded:<directory>, such as embedded:./data/log, or kafka://host:port,host:port; it is "${url}".`,
      ]),
  )

  it('does not repeat a secret in a mistake', () => {
    const { lines } = mistakesOf({ ADMIN_TOKEN: 'kurz', DATABASE_URL: 'mysql://u:geheim@h/d' })
    expect(lines.join()).not.toMatch(/kurz|geheim/)
    expect(lines).toHaveLength(2)
  })

  it('refuses a directory inside that of another part', () => {
    const { lines } = mistakesOf({ STATE_DIR: './data/log/state' })
    expect(lines[0]).toContain('STATE_DIR')
    expect(mistakesOf({ VIEW_DIR: './data/state' }).lines).toHaveLength(1)
  })

  it('refuses copies that the embedded log does not keep', () => {
    expect(mistakesOf({ REPLICATION_FACTOR: '3' }).lines).toEqual([
      'REPLICATION_FACTOR: must be 1 or not set, the embedded log keeps one copy; it is "3".',
    ])
    expect(readSettings({ REPLICATION_FACTOR: '3', LOG_URL: 'kafka://h' }).replicationFactor).toBe(3)
  })
})

describe('THREADS', () => {
  it('is one with the embedded log, whose thread the tasks share', () => {
    expect(mistakesOf({ THREADS: '2' }).lines).toEqual([
      'THREADS: must be 1, the embedded log shares its thread with the tasks; it is "2".',
    ])
    expect(readSettings({ THREADS: '2', LOG_URL: 'kafka://h' }).threads).toBe(2)
  })
})

describe('STANDBYS', () => {
  it('are none with the embedded log, which is one process', () => {
    expect(mistakesOf({ STANDBYS: '2' }).lines).toEqual([
      'STANDBYS: must be 0, copies are kept by other processes, which the embedded log does not take; it is "2".',
    ])
    expect(readSettings({ STANDBYS: '0' }).standbys).toBe(0)
    expect(readSettings({ STANDBYS: '2', LOG_URL: 'kafka://h' }).standbys).toBe(2)
  })
})

describe('settings of a part alone', () => {
  const shared = { LOG_URL: 'kafka://h', DATABASE_URL: 'postgres://u@h/d' }

  it.each([
    ['gateway', ['LOG_URL', 'DATABASE_URL']],
    ['processor', ['LOG_URL']],
    ['sink', ['LOG_URL', 'DATABASE_URL']],
  ] as const)('%s wants what it shares with other processes', (kind, variables) => {
    const { lines } = mistakesOf({}, kind)
    expect(lines.map((line) => line.split(':')[0])).toEqual(variables)
    expect(readSettings(shared, kind).logUrl).toEqual({ kind: 'kafka', url: 'kafka://h' })
  })

  it('minds the directories that it uses, and no other', () => {
    const environment = { ...shared, STATE_DIR: 'data', VIEW_DIR: 'data/view' }
    expect(mistakesOf(environment).lines).toHaveLength(1)
    expect(readSettings(environment, 'processor').stateDirectory).toBe(resolve('data'))
    expect(readSettings(environment, 'gateway').viewDirectory).toBe(resolve('data/view'))
  })
})

describe('effectiveSettings', () => {
  it('says where a value came from and hides secrets', () => {
    const settings = effectiveSettings({ ADMIN_TOKEN: 'sesame-sesame', DATABASE_URL: 'postgres://me:pw@h/d' })
    const byName = new Map(settings.map((setting) => [setting.name, setting]))
    expect(byName.get('ADMIN_TOKEN')).toMatchObject({ value: '(hidden)', from: 'environment' })
    expect(byName.get('DATABASE_URL')?.value).toBe('postgres://me:hidden@h/d')
    const log = effectiveSettings({ LOG_URL: 'kafka://me:pw@h1,h2:9092?sasl=plain' }).find(
      ({ name }) => name === 'LOG_URL',
    )
    expect(log?.value).toBe('kafka://me:hidden@h1,h2:9092?sasl=plain')
    expect(byName.get('PORT')).toMatchObject({ value: '8080', from: 'default' })
  })
})

describe('settingsMarkdown', () => {
  it('has a row for each setting', () => {
    expect(settingsMarkdown().split('\n')).toHaveLength(2 + Object.keys(settingsTable).length)
  })
})
