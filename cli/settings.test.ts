import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isMillraceError } from '#core'
import { effectiveSettings, readSettings, settingsMarkdown, settingsTable } from './settings.ts'

function mistakesOf(environment: Record<string, string>): { code: string; lines: string[] } {
  try {
    readSettings(environment)
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

  it('refuses kafka:// with a word about when it comes', () => {
    const { code, lines } = mistakesOf({ LOG_URL: 'kafka://localhost:9092' })
    expect(code).toBe('CLI_KAFKA_NOT_YET')
    expect(lines[0]).toContain('later version')
  })

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
})

describe('effectiveSettings', () => {
  it('says where a value came from and hides secrets', () => {
    const settings = effectiveSettings({ ADMIN_TOKEN: 'sesame-sesame', DATABASE_URL: 'postgres://me:pw@h/d' })
    const byName = new Map(settings.map((setting) => [setting.name, setting]))
    expect(byName.get('ADMIN_TOKEN')).toMatchObject({ value: '(hidden)', from: 'environment' })
    expect(byName.get('DATABASE_URL')?.value).toBe('postgres://me:hidden@h/d')
    expect(byName.get('PORT')).toMatchObject({ value: '8080', from: 'default' })
  })
})

describe('settingsMarkdown', () => {
  it('has a row for each setting', () => {
    expect(settingsMarkdown().split('\n')).toHaveLength(2 + Object.keys(settingsTable).length)
  })
})
