import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseKafkaUrl } from './kafka-url.ts'

it('names several brokers, with and without ports', () => {
  expect(parseKafkaUrl('kafka://one:9093,two,[::1]:9094').bootstrap).toEqual([
    { host: 'one', port: 9093 },
    { host: 'two', port: 9092 },
    { host: '::1', port: 9094 },
  ])
  expect(parseKafkaUrl('kafka://one').connection).not.toHaveProperty('tls')
})

it('takes time-outs, user and mechanism', () => {
  const url = 'kafka://us%40er:p%3Ass@h:1?sasl=scram-sha-512&requestTimeoutMs=700'
  const { connection, requestTimeoutMs } = parseKafkaUrl(url)
  expect(requestTimeoutMs).toBe(700)
  expect(connection).toMatchObject({
    requestTimeout: 700,
    connectTimeout: 700,
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'us@er', password: 'p:ss' },
  })
})

it('takes TLS, with files', () => {
  expect(parseKafkaUrl('kafka://h?tls=true').connection).toMatchObject({ tls: {}, tlsServerName: true })
  const folder = mkdtempSync(join(tmpdir(), 'millrace-url-'))
  try {
    const file = join(folder, 'ca.pem')
    writeFileSync(file, 'pem')
    expect(parseKafkaUrl(`kafka://h?tlsCa=${file}`).connection.tls).toEqual({ ca: Buffer.from('pem') })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it.each([
  ['http://h'],
  ['kafka://'],
  ['kafka://h:port'],
  ['kafka://h?retries=3'],
  ['kafka://h?tls=yes'],
  ['kafka://h?tlsCa=/nowhere/ca.pem'],
  ['kafka://h?sasl=gssapi'],
  ['kafka://h?sasl=plain'],
  ['kafka://user:secret@h'],
  ['kafka://user@h?sasl=plain'],
  ['kafka://h?requestTimeoutMs=soon'],
])('refuses %s', (url) => {
  expect(() => parseKafkaUrl(url)).toThrow(expect.objectContaining({ code: 'LOG_INVALID_REQUEST' }))
  expect(() => parseKafkaUrl(url)).not.toThrow(/secret/)
})
