import { expect, it } from 'vitest'
import { sinkError } from '../errors.ts'
import { openSqlDatabase } from './open.ts'
import { classifySqlError } from './sql-errors.ts'

const failure = (code?: string): Error => Object.assign(new Error('said so'), { code })

it.each(['57P01', '57P03', '08006', '53300', '53100', '40001', '40P01', '57014', 'ECONNREFUSED', undefined])(
  'waits out %s',
  (code) => {
    expect(classifySqlError(failure(code), 'it')).toMatchObject({
      code: 'SINK_STORE_UNAVAILABLE',
      reaction: 'retry',
    })
  },
)

it.each(['23505', '23514', '42501', '42P01', '28P01', '3D000', '22P02'])('stops at %s', (code) => {
  const error = classifySqlError(failure(code), 'it')
  expect(error).toMatchObject({ code: 'SINK_STORE_REFUSED', reaction: 'stop', context: { sqlState: code } })
})

it('passes on what is already one of ours', () => {
  const ours = sinkError('SINK_CLOSED', 'closed')
  expect(classifySqlError(ours, 'it')).toBe(ours)
})

it.each(['mysql://host/db', 'pglite:', 'postgres://[', ''])('refuses DATABASE_URL %j', (url) => {
  expect(() => openSqlDatabase(url, { connections: 1 })).toThrow(
    expect.objectContaining({ code: 'SINK_INVALID_URL' }),
  )
})

it('never shows a password', async () => {
  const database = openSqlDatabase('postgres://user:secret@127.0.0.1:1/db', { connections: 1 })
  const error: unknown = await database.query('select 1').catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'SINK_STORE_UNAVAILABLE' })
  expect(String(error)).not.toContain('secret')
  await database.close()
})
