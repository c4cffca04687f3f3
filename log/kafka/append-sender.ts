/** Sends the batches of an appender's partitions: one request a leader at a time holds one batch of each partition. */
import type { Clock } from '#core'
import { logError, partitionName } from '../index.ts'
import { unknownTopic } from '../topic-settings.ts'
import type { AppendBatch } from './append-batch.ts'
import { inFlightMax } from './append-lane.ts'
import type { AppendLane } from './append-lane.ts'
import { addressName } from './broker-connection.ts'
import type { BrokerAddress, BrokerConnection } from './broker-connection.ts'
import { brokerError, code, isRetriable } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import type { Connections } from './connections.ts'
import { NoAnswer } from './no-answer.ts'
import { initProducerId, noProducer } from './protocol/init-producer-id.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { produce, replicationTimeoutMs } from './protocol/produce.ts'
import { stamp } from './stamp.ts'

/** A request is sent at this size; brokers take 100 MiB by default. */
const requestBytesMax = 16 << 20
/** Waits after metadata, a connection or a producer id could not be had. */
const troubleWaitMs = 200

interface Destination {
  readonly connection: BrokerConnection
  inFlight: number
}

interface Sent {
  readonly lane: AppendLane
  readonly batch: AppendBatch
}

export class AppendSender {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #connections: Connections
  readonly #requestTimeoutMs: number
  readonly #onUnknownTopic: (topic: string) => void
  /** Lanes with something to send or in flight. */
  readonly #lanes = new Set<AppendLane>()
  readonly #destinations = new Map<string, Destination>()
  /** The producer of all partitions that had no gap yet. */
  #producer: ProducerIdentity | undefined
  readonly #stopListening: () => void
  #scheduled = false
  #alarm: { readonly at: number; readonly stop: AbortController } | undefined
  #settled = Promise.withResolvers<void>()
  #rotation = 0
  #isTroubled = false

  constructor(options: {
    readonly cluster: Cluster
    readonly requestTimeoutMs: number
    readonly onUnknownTopic: (topic: string) => void
  }) {
    this.#cluster = options.cluster
    this.#clock = options.cluster.clock
    this.#connections = options.cluster.connections()
    this.#requestTimeoutMs = options.requestTimeoutMs
    this.#onUnknownTopic = options.onUnknownTopic
    this.#stopListening = options.cluster.onStop(() => this.#schedule())
  }

  get isIdle(): boolean {
    return this.#lanes.size === 0
  }

  /** Resolves when something was answered or given up, at once when nothing is under way. */
  async settled(): Promise<void> {
    if (!this.isIdle) await this.#settled.promise
  }

  /** The lane has something to send; it goes out at the end of this turn of the event loop. */
  ready(lane: AppendLane): void {
    this.#lanes.add(lane)
    this.#schedule()
  }

  async close(): Promise<void> {
    this.#stopListening()
    this.#alarm?.stop.abort()
    await this.#connections.close()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#send()
    })
  }

  #send(): void {
    const now = this.#clock.now()
    for (const lane of this.#lanes) {
      if (this.#cluster.isStopped) lane.failWaiting(stopped(lane))
      else lane.expire(now)
    }
    while (this.#sendRound(now)) continue
    let wakeAt = Infinity
    for (const lane of this.#lanes) {
      if (lane.isIdle) this.#lanes.delete(lane)
      else if (lane.hasWork && !lane.busy) {
        const deadline = (lane.queue[0] ?? lane.filling)?.deadline ?? Infinity
        wakeAt = Math.min(wakeAt, lane.retryAt > now ? lane.retryAt : deadline, deadline)
      }
    }
    this.#wakeAt(wakeAt, now)
    this.#settled.resolve()
    this.#settled = Promise.withResolvers<void>()
  }

  /** One batch of each lane that can; true when something was sent. */
  #sendRound(now: number): boolean {
    const requests = new Map<Destination, { bytes: number; sent: Sent[] }>()
    for (const lane of this.#rotated()) {
      if (!lane.canSend(now)) continue
      const destination = this.#destinationOf(lane)
      if (destination === undefined || !lane.canSend(now, destination.connection)) continue
      if (destination.inFlight >= inFlightMax) continue
      let request = requests.get(destination)
      if (request === undefined) requests.set(destination, (request = { bytes: 0, sent: [] }))
      if (request.bytes >= requestBytesMax) continue
      const producer = lane.producer ?? this.#producer
      if (producer === undefined) continue
      const batch = lane.take(producer, destination.connection)
      if (batch === undefined) continue
      stamp(batch.bytes(), producer, batch.baseSequence ?? 0)
      request.sent.push({ lane, batch })
      request.bytes += batch.bytes().length
    }
    for (const [destination, { sent }] of requests) void this.#request(destination, sent)
    return requests.size > 0
  }

  /** Where the lane's batch can go now; undefined while something has to be asked for first. */
  #destinationOf(lane: AppendLane): Destination | undefined {
    const leader = lane.needsLeader ? undefined : this.#cluster.leader(lane)
    if (leader === undefined) {
      this.#repair(
        [...this.#lanes].filter((other) => other.topic === lane.topic && !other.busy),
        () => this.#lookForLeader(lane.topic),
      )
      return undefined
    }
    if (lane.producer === undefined && (lane.needsOwnProducer || this.#producer === undefined)) {
      this.#repair(lane.needsOwnProducer ? [lane] : this.#withoutProducer(), () => this.#identify(lane))
      return undefined
    }
    const name = addressName(leader)
    const destination = this.#destinations.get(name)
    if (destination?.connection.isOpen === true) return destination
    const there = [...this.#lanes].filter((other) => {
      const its = this.#cluster.leader(other)
      return !other.busy && its !== undefined && addressName(its) === name
    })
    this.#repair(there, () => this.#connect(leader))
    return undefined
  }

  #withoutProducer(): AppendLane[] {
    return [...this.#lanes].filter(
      (lane) => lane.producer === undefined && !lane.needsOwnProducer && !lane.busy,
    )
  }

  /** Keeps the lanes from sending while `work` gets what they lack. Where it fails they try again a little later. */
  #repair(lanes: readonly AppendLane[], work: () => Promise<void>): void {
    for (const lane of lanes) lane.busy = true
    void work()
      .catch((error: unknown) => {
        this.#note(error)
        for (const lane of lanes) {
          lane.trouble = error
          lane.needsLeader = true
          lane.retryAt = this.#clock.now() + troubleWaitMs
        }
      })
      .finally(() => {
        for (const lane of lanes) lane.busy = false
        this.#schedule()
      })
  }

  async #lookForLeader(topic: string): Promise<void> {
    await this.#cluster.refresh([topic])
    const heard = await this.#cluster.topic(topic)
    if (heard === undefined) this.#onUnknownTopic(topic)
    for (const lane of this.#lanes) {
      if (lane.topic !== topic) continue
      if (heard?.partitions[lane.partition] === undefined) lane.failWaiting(unknownTopic(partitionName(lane)))
      lane.needsLeader = false
      if (this.#cluster.leader(lane) === undefined) {
        lane.trouble = new NoAnswer(`${partitionName(lane)} has no leader.`, false)
        lane.retryAt = this.#clock.now() + troubleWaitMs
      }
    }
  }

  async #identify(lane: AppendLane): Promise<void> {
    const request = { transactionalId: null, timeoutMs: -1, producer: noProducer }
    const answer = await this.#cluster.any(initProducerId, request)
    if (answer.code !== code.none) {
      const refused = brokerError(answer.code, 'producer id')
      // A user without the right to write idempotently will not get it by waiting.
      if (!isRetriable(answer.code)) for (const other of this.#lanes) other.failWaiting(refused)
      throw refused
    }
    if (!lane.needsOwnProducer) this.#producer = answer.producer
    else {
      lane.producer = answer.producer
      lane.needsOwnProducer = false
    }
  }

  async #connect(leader: BrokerAddress): Promise<void> {
    const connection = await this.#connections.to(leader)
    const name = addressName(leader)
    // After a renewal of its session it is the one from before, with what is in flight there.
    if (this.#destinations.get(name)?.connection === connection) return
    this.#destinations.set(name, { connection, inFlight: 0 })
  }

  async #request(destination: Destination, sent: readonly Sent[]): Promise<void> {
    destination.inFlight++
    try {
      const produced = await destination.connection.request(produce, {
        transactionalId: null,
        timeoutMs: replicationTimeoutMs(this.#requestTimeoutMs),
        batches: sent.map(({ lane, batch }) => ({
          topic: lane.topic,
          partition: lane.partition,
          bytes: batch.bytes(),
        })),
      })
      const now = this.#clock.now()
      if (this.#isTroubled) this.#cluster.logger.info({}, 'appending to Kafka goes on')
      this.#isTroubled = false
      const answers = new Map(produced.map((answer) => [partitionName(answer), answer]))
      for (const { lane, batch } of sent) {
        const answer = answers.get(partitionName(lane))
        if (answer === undefined)
          lane.unanswered(batch, true, new Error('Kafka left it out of its answer.'), now)
        else {
          if (answer.code !== code.none) this.#cluster.metrics?.retried()
          lane.answered(batch, answer.code, answer.baseOffset, answer.message, now)
        }
      }
    } catch (error) {
      const wasSent = !(error instanceof NoAnswer) || error.sent
      const now = this.#clock.now()
      this.#note(error)
      this.#cluster.metrics?.retried()
      for (const { lane, batch } of sent) lane.unanswered(batch, wasSent, error, now)
    } finally {
      destination.inFlight--
      this.#schedule()
    }
  }

  /** Says the first of several failures. */
  #note(error: unknown): void {
    if (!this.#isTroubled) this.#cluster.logger.warn({ error }, 'appending to Kafka fails, trying again')
    this.#isTroubled = true
  }

  /** Begins with another lane each time: the last ones may not fit into a request. */
  #rotated(): AppendLane[] {
    const lanes = [...this.#lanes]
    const first = lanes.length === 0 ? 0 : this.#rotation++ % lanes.length
    return first === 0 ? lanes : [...lanes.slice(first), ...lanes.slice(0, first)]
  }

  #wakeAt(at: number, now: number): void {
    if (this.#alarm !== undefined && this.#alarm.at <= at) return
    this.#alarm?.stop.abort()
    this.#alarm = undefined
    if (at === Infinity) return
    const stop = new AbortController()
    this.#alarm = { at, stop }
    void this.#wakeAfter(Math.max(1, at - now), stop.signal)
  }

  async #wakeAfter(ms: number, signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal)
    if (signal.aborted) return
    // A timer may fire a little early: what is not due yet sets the alarm again.
    this.#alarm = undefined
    this.#schedule()
  }
}

function stopped(lane: AppendLane): Error {
  const message = `Records for ${partitionName(lane)} were not appended: this process stops. Append them again elsewhere.`
  return logError('LOG_APPEND_FAILED', message)
}
