/**
 * `kafka://[user:password@]host:port[,host:port…][?tls=true&sasl=scram-sha-512&tlsCa=/path/ca.pem]`
 *
 * `tls`: true | false; `tlsCa`, `tlsCert`, `tlsKey`: files in PEM; `sasl`: plain | scram-sha-256 | scram-sha-512, with
 * user and password percent-encoded as in any URL; `requestTimeoutMs`: how long one request may take, default 10,000.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from '@platformatic/kafka'
import { messageOf } from '#core'
import { logError } from '../index.ts'
import type { BrokerAddress } from './broker-connection.ts'

export interface KafkaUrl {
  readonly bootstrap: readonly BrokerAddress[]
  readonly connection: ConnectionOptions
  readonly requestTimeoutMs: number
}

const mechanisms = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const

const known = new Set(['tls', 'tlsCa', 'tlsCert', 'tlsKey', 'sasl', 'requestTimeoutMs'])
const defaultPort = 9092
const defaultRequestTimeoutMs = 10_000
const connectTimeoutMs = 5000

/** Errors: LOG_INVALID_REQUEST. Never repeats a password. */
export function parseKafkaUrl(url: string): KafkaUrl {
  const match = /^kafka:\/\/(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/.exec(url)
  if (match === null) throw invalid('is not of the form kafka://host:port,host:port?options')
  const [, user, hosts = '', query = ''] = match
  const options = new URLSearchParams(query)
  for (const name of options.keys()) if (!known.has(name)) throw invalid(`has an unknown option ${name}`)
  const requestTimeoutMs = Number(options.get('requestTimeoutMs') ?? defaultRequestTimeoutMs)
  if (!Number.isInteger(requestTimeoutMs) || requestTimeoutMs < 1)
    throw invalid('has a requestTimeoutMs that is no number of milliseconds')
  return {
    bootstrap: hosts.split(',').map(addressOf),
    requestTimeoutMs,
    connection: {
      connectTimeout: Math.min(connectTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      ...tlsOf(options),
      ...saslOf(options.get('sasl'), user),
    },
  }
}

function addressOf(text: string): BrokerAddress {
  const match = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text)
  if (match === null) throw invalid(`has a broker ${text} that is not host:port`)
  const [, host = '', port] = match
  return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? defaultPort : Number(port) }
}

function tlsOf(options: URLSearchParams): ConnectionOptions {
  const tls = options.get('tls') ?? String(['tlsCa', 'tlsCert', 'tlsKey'].some((name) => options.has(name)))
  if (tls !== 'true' && tls !== 'false') throw invalid('has a tls that is neither true nor false')
  if (tls === 'false') return {}
  const file = (option: string, name: string): Record<string, Buffer> => {
    const path = options.get(option)
    if (path === null) return {}
    try {
      return { [name]: readFileSync(path) }
    } catch (error) {
      throw invalid(`names a file in ${option} that cannot be read: ${messageOf(error)}`)
    }
  }
  return {
    tls: { ...file('tlsCa', 'ca'), ...file('tlsCert', 'cert'), ...file('tlsKey', 'key') },
    tlsServerName: true,
  }
}

function saslOf(name: string | null, user: string | undefined): ConnectionOptions {
  if (name === null) {
    if (user !== undefined) throw invalid('has a user but no option sasl')
    return {}
  }
  if (!Object.hasOwn(mechanisms, name))
    throw invalid(`has a sasl that is none of ${Object.keys(mechanisms).join(', ')}`)
  const mechanism = mechanisms[name as keyof typeof mechanisms]
  const [username, password] = (user ?? '').split(':').map((part) => decodeURIComponent(part))
  if (username === undefined || username === '' || password === undefined)
    throw invalid('has an option sasl but no user:password@')
  return { sasl: { mechanism, username, password } }
}

function invalid(what: string): Error {
  return logError('LOG_INVALID_REQUEST', `The Kafka URL ${what}. Correct LOG_URL.`)
}
