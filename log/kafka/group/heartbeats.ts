import { Worker } from 'node:worker_threads'
import type { ConnectionOptions } from '@platformatic/kafka'
import { messageOf } from '#core'
import type { Clock, Logger } from '#core'
import type { BrokerAddress } from '../broker-connection.ts'
import type { HeartbeatRequest } from '../protocol/group-members.ts'
import type { HeartbeatNews, HeartbeatOrder, HeartbeatThreadData } from './heartbeat-messages.ts'

/**
 * Short, because members learn of a round by it: half of it is the mean wait before a partition can move. A heartbeat
 * costs a coordinator microseconds.
 */
const intervalMs = 200
const quickMs = 40
const quickForMs = 2000
const aliveMs = 1000
/** Without progress for so long the others take over. */
const stalledMs = 30_000
const restartMs = 1000
/**
 * The thread costs half a second of CPU to load, which a process that has just started needs for its tasks. Until then
 * heartbeats are sent from here; nothing blocks this thread for as long as a session lasts.
 */
const startMs = 2000

/** The member's side of its heartbeat thread. */
export class Heartbeats {
  readonly #data: HeartbeatThreadData
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #onNews: (code: number | undefined) => void
  readonly #ask: (request: HeartbeatRequest) => Promise<number>
  readonly #stop = new AbortController()
  readonly #alive = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  #worker: Worker | undefined
  #order: HeartbeatOrder = { kind: 'rest' }
  #turn = 0
  readonly #ticking: Promise<void>
  #isThreadReady = false

  /** @param onNews the code of an answer that is not 0; undefined when there was none */
  constructor(options: {
    readonly connection: ConnectionOptions
    /** A heartbeat that is not answered for so long counts as lost, milliseconds. */
    readonly timeoutMs: number
    readonly clock: Clock
    readonly logger: Logger
    readonly onNews: (code: number | undefined) => void
    /** One heartbeat from this thread. */
    readonly ask: (request: HeartbeatRequest) => Promise<number>
  }) {
    const { connection, timeoutMs } = options
    this.#clock = options.clock
    this.#logger = options.logger
    this.#onNews = options.onNews
    this.#ask = options.ask
    this.#data = {
      connection: { ...connection, requestTimeout: timeoutMs, connectTimeout: timeoutMs },
      alive: this.#alive.buffer,
      intervalMs,
      quickMs,
      quickForMs,
      stalledMs,
    }
    void this.#startAfter(startMs)
    this.#ticking = this.#tick()
    void this.#standIn()
  }

  /** From now on for this generation. */
  beat(coordinator: BrokerAddress, request: HeartbeatRequest): void {
    this.#say({ kind: 'beat', turn: ++this.#turn, coordinator, request })
  }

  rest(): void {
    this.#turn++
    this.#say({ kind: 'rest' })
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#ticking
    await this.#worker?.terminate()
  }

  #say(order: HeartbeatOrder): void {
    this.#order = order
    this.#worker?.postMessage(order, [])
  }

  #start(): Worker {
    const worker = new Worker(new URL('./heartbeat-thread.ts', import.meta.url), {
      name: 'heartbeat',
      workerData: this.#data,
      // It sends a few bytes every 200 ms, every 40 ms for two seconds after an order.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    worker.on('message', ({ turn, code }: HeartbeatNews) => {
      this.#isThreadReady = true
      if (turn === this.#turn && !this.#stop.signal.aborted) this.#onNews(code)
    })
    worker.on('error', (error) => {
      this.#logger.error({ error: messageOf(error) }, 'heartbeat thread failed, starting it again')
    })
    worker.once('exit', () => void this.#startAfter(restartMs))
    return worker
  }

  /** A new member's second round comes sooner than the thread. */
  async #standIn(): Promise<void> {
    while (!this.#isThreadReady && !this.#stop.signal.aborted) {
      const order = this.#order
      if (order.kind === 'beat') {
        // Without an answer here the thread's heartbeats will tell.
        const code = await this.#ask(order.request).catch(() => 0)
        if (code !== 0 && order === this.#order && !this.#stop.signal.aborted) this.#onNews(code)
      }
      await this.#clock.sleep(quickMs, this.#stop.signal)
    }
  }

  async #startAfter(waitMs: number): Promise<void> {
    await this.#clock.sleep(waitMs, this.#stop.signal)
    if (this.#stop.signal.aborted) return
    this.#worker = this.#start()
    this.#say(this.#order)
  }

  async #tick(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      Atomics.add(this.#alive, 0, 1)
      await this.#clock.sleep(aliveMs, this.#stop.signal)
    }
  }
}
