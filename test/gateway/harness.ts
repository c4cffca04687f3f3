/** A gateway over an embedded log in a directory of its own, with somebody who decides. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noMetrics, silentLogger } from '#core'
import type { Gauge, Metrics } from '#core'
import { everyPartition } from '#log'
import type { Log } from '#log'
import { EmbeddedBroker, openEmbeddedLog } from '#log/embedded'
import { couponTopics } from '#domain/coupon'
import { createGateway } from '#gateway'
import type { CouponReads, Gateway, GatewayOptions } from '#gateway'
import { MovableClock } from './clock.ts'
import { Decider } from './decider.ts'

export interface HarnessOptions extends Partial<GatewayOptions> {
  readonly partitions?: number
  /** Puts something between the gateway and the log. */
  readonly wrapLog?: (log: Log) => Log
}

const topics = couponTopics()

const noReads: CouponReads = {
  winners: async () => ({ items: [] }),
  userCoupons: async () => ({ items: [] }),
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Parsed JSON, where the answer is JSON. */
  readonly body: Record<string, unknown>
  readonly text: string
}

export class Harness {
  readonly clock = new MovableClock()
  readonly dir: string
  readonly broker: EmbeddedBroker
  readonly log: Log
  readonly decider: Decider
  gateway: Gateway
  #waiting = 0
  readonly #options: HarnessOptions

  private constructor(
    dir: string,
    broker: EmbeddedBroker,
    log: Log,
    options: HarnessOptions,
    clock: MovableClock,
  ) {
    this.clock = clock
    this.dir = dir
    this.broker = broker
    this.log = log
    this.#options = options
    const { partitions = 2, idempotencyRetentionMs } = options
    const memory = idempotencyRetentionMs === undefined ? {} : { idempotencyRetentionMs }
    this.decider = new Decider(log, topics, partitions, memory)
    this.gateway = this.create()
  }

  static async start(options: HarnessOptions = {}): Promise<Harness> {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-gateway-'))
    const clock = new MovableClock()
    const broker = await EmbeddedBroker.open({ dir: join(dir, 'log'), clock })
    const log = await openEmbeddedLog(broker, { clock })
    const { partitions = 2 } = options
    await log.admin.ensureTopics([
      { name: topics.issue, partitions, settings: { cleanup: 'delete', timestamps: 'log-append' } },
      { name: topics.result, partitions, settings: { cleanup: 'delete' } },
      { name: topics.status, partitions, settings: { cleanup: 'compact' } },
    ])
    const harness = new Harness(dir, broker, log, options, clock)
    await harness.gateway.start()
    await harness.untilReady()
    return harness
  }

  /** A further gateway over the same log. */
  create(options: Partial<GatewayOptions> = {}): Gateway {
    const { wrapLog = (log) => log, partitions: _, ...rest } = this.#options
    return createGateway({
      log: wrapLog(this.log),
      topics,
      viewDir: join(this.dir, 'view'),
      reads: noReads,
      clock: this.clock,
      logger: silentLogger,
      metrics: this.#metrics(),
      metricsText: async () => ({ contentType: 'text/plain', body: '' }),
      loopback: true,
      resultRetentionMs: 7 * 24 * 3600_000,
      idempotencyRetentionMs: 24 * 3600_000,
      ...rest,
      ...options,
    })
  }

  async restart(options: Partial<GatewayOptions> = {}): Promise<void> {
    await this.gateway.close()
    this.gateway = this.create(options)
    await this.gateway.start()
    await this.untilReady()
  }

  async untilReady(gateway = this.gateway): Promise<void> {
    while (!(await gateway.ready()).ready) await this.clock.sleep(5)
  }

  /** Until so many requests wait for a decision. Not with metrics of one's own. */
  async untilWaiting(count = 1): Promise<void> {
    for (;;) {
      await this.get('/metrics')
      if (this.#waiting >= count) return
      await this.clock.yield()
    }
  }

  #metrics(): Metrics {
    const waiters: Gauge = { set: (count) => void (this.#waiting = count) }
    return {
      ...noMetrics,
      gauge: (options) => (options.name === 'millrace_gateway_waiters' ? waiters : noMetrics.gauge(options)),
    }
  }

  async call(
    method: string,
    path: string,
    init: { body?: unknown; headers?: Record<string, string>; gateway?: Gateway } = {},
  ): Promise<Answer> {
    const { body, headers = {}, gateway = this.gateway } = init
    const content =
      body === undefined
        ? {}
        : {
            body: typeof body === 'string' ? body : JSON.stringify(body),
            headers: { 'content-type': 'application/json', ...headers },
          }
    const request = new Request(`http://localhost${path}`, { method, headers, ...content })
    const response = await gateway.fetch(request)
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {},
      text,
    }
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call('GET', path, { headers })
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.call('POST', path, { body, headers })
  }

  open(couponId: string, stock: number, more: object = {}): Promise<Answer> {
    return this.post('/api/v1/coupons', { couponId, stock, ...more })
  }

  claim(couponId: string, userId: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.post(`/api/v1/coupons/${couponId}/claims`, { userId }, headers)
  }

  /** A claim that waits for its decision. */
  decided(couponId: string, userId: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.claim(couponId, userId, { prefer: 'wait=10', ...headers })
  }

  /** Records on `coupon-issue`. */
  async written(): Promise<number> {
    const partitions = everyPartition(topics.issue, this.#options.partitions ?? 2)
    const offsets = await this.log.admin.offsets(partitions)
    return offsets.reduce((sum, { highWatermark }) => sum + highWatermark, 0)
  }

  async close(): Promise<void> {
    this.decider.resume()
    await this.gateway.close()
    await this.decider.close()
    await this.log.close()
    await this.broker.close()
    await rm(this.dir, { recursive: true, force: true })
  }
}
