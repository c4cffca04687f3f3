/** Redis through `ioredis`, connected at the first use and again after each loss by whoever calls next. */
import { Redis } from 'ioredis'
import { messageOf } from '#core'
import { sinkError } from '../errors.ts'

export interface RedisClient {
  /** Put before every key; for several Millraces in one Redis. */
  readonly keyPrefix: string
  /**
   * Runs a Lua script.
   * Errors: SINK_STORE_UNAVAILABLE (retry; the script may have run), SINK_STORE_REFUSED (stop), SINK_CLOSED.
   */
  run(script: RedisScript, keys: readonly string[], parameters: readonly string[]): Promise<unknown>
  /** Cuts the connection. Idempotent. */
  close(): Promise<void>
}

export interface RedisScript {
  /** A name for the driver; one name, one text. */
  readonly name: string
  readonly lua: string
}

export interface RedisClientOptions {
  readonly keyPrefix?: string
  readonly connectTimeoutMs?: number
  /** For one script, milliseconds; after it the store counts as away. */
  readonly commandTimeoutMs?: number
}

/**
 * @param url `redis://[user:password@]host[:port][/database]` or `rediss://…`. One server or its proxy: keys are named
 * inside scripts, which Redis Cluster does not allow.
 * Errors: SINK_INVALID_URL.
 */
export function openRedis(url: string, options: RedisClientOptions = {}): RedisClient {
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
    throw sinkError(
      'SINK_INVALID_URL',
      'REDIS_URL is no Redis address. Set it to redis://host:6379 or leave it out.',
    )
  }
  return new IoredisClient(url, options)
}

class IoredisClient implements RedisClient {
  readonly keyPrefix: string
  readonly #where: string
  readonly #redis: Redis
  readonly #defined = new Set<string>()
  #connecting: Promise<void> | undefined
  #lastError: unknown
  #closed = false

  constructor(url: string, options: RedisClientOptions) {
    const { host, pathname } = new URL(url)
    this.keyPrefix = options.keyPrefix ?? ''
    this.#where = `Redis at ${host}${pathname}`
    this.#redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout: options.connectTimeoutMs ?? 3000,
      commandTimeout: options.commandTimeoutMs ?? 10_000,
      // The caller waits and tries again by its own clock; a queue here would answer late and grow.
      retryStrategy: () => null,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      connectionName: 'millrace-sink',
    })
    this.#redis.on('error', (error: unknown) => {
      this.#lastError = error
    })
  }

  async run(script: RedisScript, keys: readonly string[], parameters: readonly string[]): Promise<unknown> {
    if (this.#closed) throw closed()
    try {
      await this.#connect()
      if (!this.#defined.has(script.name)) {
        this.#redis.defineCommand(script.name, { lua: script.lua })
        this.#defined.add(script.name)
      }
      const prefixed = keys.map((key) => this.keyPrefix + key)
      const commands = this.#redis as unknown as Record<string, (...parts: unknown[]) => Promise<unknown>>
      return await commands[script.name]?.(prefixed.length, ...prefixed, ...parameters)
    } catch (error) {
      if (this.#closed) throw closed()
      throw this.#classify(error)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#redis.disconnect()
  }

  async #connect(): Promise<void> {
    if (this.#redis.status === 'ready') return
    this.#lastError = undefined
    this.#connecting ??= this.#redis.connect().finally(() => {
      this.#connecting = undefined
    })
    await this.#connecting
  }

  #classify(error: unknown): Error {
    const answered = error instanceof Error && error.name === 'ReplyError'
    const message = messageOf(this.#lastError ?? error)
    const context = { store: this.#where }
    if (answered && !passing.test(error.message)) {
      return sinkError(
        'SINK_STORE_REFUSED',
        `${this.#where} refused for good: ${error.message}. Check its user's rights and that the keys are Millrace's ` +
          'alone; flushed keys are rebuilt from the log.',
        { cause: error, context },
      )
    }
    return sinkError(
      'SINK_STORE_UNAVAILABLE',
      `${this.#where} is away (${message || 'no answer'}). Retrying.`,
      {
        cause: error,
        context,
      },
    )
  }
}

/** Answers of a server that will work again: starting, failing over, full, read-only after a failed save. */
const passing = /^(LOADING|BUSY|TRYAGAIN|MASTERDOWN|READONLY|OOM|MISCONF|NOREPLICAS|UNKILLABLE)\b/

function closed(): Error {
  return sinkError('SINK_CLOSED', 'The connection to Redis is closed.')
}
