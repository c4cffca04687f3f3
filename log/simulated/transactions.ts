/**
 * The transaction coordinator, as Kafka's since KIP-890: data is appended undecided, each decision is written down
 * before its markers go out one by one, and every end of a transaction moves the epoch on, so that a request of
 * before that arrives late is refused.
 */
import { batchField, logError } from '../index.ts'
import type { Durability } from './durability.ts'
import type { GroupOffsets } from './group-offsets.ts'
import { brokerDown } from './network.ts'
import type { Network } from './network.ts'
import type { SimulatedPartition } from './partition.ts'

/** Replaced as a whole with every change, so that it can be taken back. */
interface TransactionState {
  readonly producerId: number
  readonly epoch: number
  readonly timeoutMs: number
  readonly status: 'empty' | 'ongoing' | 'commit' | 'abort'
  /** Names the open or deciding transaction in partitions. */
  readonly transaction: string
  readonly partitions: readonly SimulatedPartition[]
  /** The verdict that ended the epoch before, for requests that arrive again. */
  readonly ended: { readonly epoch: number; readonly commit: boolean; readonly timedOut: boolean } | undefined
}

export interface Producer {
  readonly producerId: number
  readonly epoch: number
}

export class Transactions {
  readonly #network: Network
  readonly #durability: Durability
  readonly #offsets: GroupOffsets
  readonly #states = new Map<string, TransactionState>()
  /** Decisions under way, by transaction. */
  readonly #finishing = new Map<string, Promise<void>>()
  #producerIds = 0
  /** Transactions that were open for too long. */
  timedOut = 0

  constructor(network: Network, durability: Durability, offsets: GroupOffsets) {
    this.#network = network
    this.#durability = durability
    this.#offsets = offsets
  }

  /** Fences the former holder of the id, and aborts what it had open, before it answers. */
  async initProducer(id: string, timeoutMs: number): Promise<Producer> {
    for (
      let state = this.#states.get(id);
      state !== undefined && state.status !== 'empty';
      state = this.#states.get(id)
    ) {
      if (state.status === 'ongoing') this.#end(id, state, { commit: false, timedOut: false, fence: true })
      await this.#finish(id)
    }
    const former = this.#states.get(id)
    const producerId = former?.producerId ?? ++this.#producerIds
    const epoch = (former?.epoch ?? -1) + 1
    const transaction = `${producerId}:${epoch}`
    this.#set(id, {
      producerId,
      epoch,
      timeoutMs,
      status: 'empty',
      transaction,
      partitions: [],
      ended: undefined,
    })
    await this.#durability.wait()
    return { producerId, epoch }
  }

  /** Appends data of the open transaction, and opens it with the first. Answers the end offset. Errors: LOG_FENCED. */
  async append(
    id: string,
    producer: Producer,
    partition: SimulatedPartition,
    batches: readonly Buffer[],
    request: string,
  ): Promise<number> {
    const state = this.#open(id, producer)
    if (!state.partitions.includes(partition)) {
      this.#set(id, { ...state, partitions: [...state.partitions, partition] })
    }
    const count = batches.reduce((sum, batch) => sum + batch.readInt32BE(batchField.count), 0)
    const base = partition.append(
      batches,
      request,
      Math.floor(this.#network.scheduler.now),
      state.transaction,
    )
    await this.#durability.wait()
    return base + count
  }

  /** Adds offsets to the open transaction. Errors: LOG_FENCED. */
  async addOffsets(
    id: string,
    producer: Producer,
    group: string,
    offsets: Parameters<GroupOffsets['hold']>[2],
  ): Promise<void> {
    const state = this.#open(id, producer)
    this.#offsets.hold(state.transaction, group, offsets)
    await this.#durability.wait()
  }

  /** Decides the open transaction. Errors: LOG_FENCED, LOG_INVALID_REQUEST (nothing is open). */
  async end(id: string, producer: Producer, commit: boolean): Promise<Producer> {
    const state = this.#states.get(id)
    if (
      state?.ended?.epoch === producer.epoch &&
      state.producerId === producer.producerId &&
      !state.ended.timedOut
    ) {
      if (state.ended.commit !== commit) throw fenced(id, false)
    } else {
      const current = this.#current(id, producer)
      if (current.status === 'empty') {
        if (!commit) return producer
        throw logError('LOG_INVALID_REQUEST', `${id} has nothing prepared to commit.`)
      }
      this.#end(id, current, { commit, timedOut: false, fence: false })
    }
    await this.#finish(id)
    return { producerId: producer.producerId, epoch: producer.epoch + 1 }
  }

  /** Ids whose open transaction has written into one of the partitions. */
  openOn(partitions: readonly SimulatedPartition[]): string[] {
    return [...this.#states].flatMap(([id, state]) => {
      const isOpen = state.status === 'ongoing' && state.partitions.some((one) => partitions.includes(one))
      return isOpen ? [id] : []
    })
  }

  /** After a power loss: goes on with what was decided. */
  recover(): void {
    this.#finishing.clear()
    for (const [id, state] of this.#states) {
      if (state.status === 'ongoing') this.#timeOutLater(id, state)
      else this.#finish(id).catch(ignoreBrokerDown)
    }
  }

  #current(id: string, { producerId, epoch }: Producer): TransactionState {
    const state = this.#states.get(id)
    if (state === undefined || state.producerId !== producerId || state.epoch !== epoch) {
      throw fenced(id, state?.ended?.epoch === epoch && state.ended.timedOut)
    }
    return state
  }

  #open(id: string, producer: Producer): TransactionState {
    const state = this.#current(id, producer)
    if (state.status === 'ongoing') return state
    const transaction = `${state.producerId}:${state.epoch}`
    const opened: TransactionState = { ...state, status: 'ongoing', transaction, partitions: [] }
    this.#set(id, opened)
    this.#timeOutLater(id, opened)
    return opened
  }

  #timeOutLater(id: string, { transaction, timeoutMs }: TransactionState): void {
    this.#network.scheduler.schedule(timeoutMs, undefined, 'transaction time-out', () => {
      const now = this.#states.get(id)
      if (now?.status !== 'ongoing' || now.transaction !== transaction) return
      this.timedOut++
      this.#end(id, now, { commit: false, timedOut: true, fence: true })
      this.#finish(id).catch(ignoreBrokerDown)
    })
  }

  /** Writes the decision down. The epoch moves on with it. */
  #end(
    id: string,
    state: TransactionState,
    verdict: { readonly commit: boolean; readonly timedOut: boolean; readonly fence: boolean },
  ): void {
    const { commit, timedOut, fence } = verdict
    this.#set(id, {
      ...state,
      epoch: state.epoch + 1,
      status: commit ? 'commit' : 'abort',
      ended: fence && !timedOut ? undefined : { epoch: state.epoch, commit, timedOut },
    })
  }

  #finish(id: string): Promise<void> {
    const state = this.#states.get(id)
    if (state === undefined || (state.status !== 'commit' && state.status !== 'abort'))
      return Promise.resolve()
    const known = this.#finishing.get(state.transaction)
    if (known !== undefined) return known
    const finishing = this.#writeMarkers(id, state)
    this.#finishing.set(state.transaction, finishing)
    const forget = (): void => {
      if (this.#finishing.get(state.transaction) === finishing) this.#finishing.delete(state.transaction)
    }
    finishing.then(forget, forget)
    return finishing
  }

  async #writeMarkers(id: string, state: TransactionState): Promise<void> {
    const { transaction } = state
    const commit = state.status === 'commit'
    await this.#durability.wait()
    await Promise.all(
      state.partitions.map(async (partition) => {
        const { topic, partition: number } = partition
        await this.#later({ name: 'marker', topic: topic.name, partition: number })
        partition.decide(transaction, commit)
      }),
    )
    await this.#later({ name: 'marker', topic: 'offsets' })
    this.#offsets.decide(transaction, commit)
    await this.#durability.wait()
    const now = this.#states.get(id)
    if (now?.transaction === transaction && now.status === state.status)
      this.#set(id, { ...now, status: 'empty' })
  }

  #later(call: {
    readonly name: string
    readonly topic: string
    readonly partition?: number
  }): Promise<void> {
    const { scheduler, weather } = this.#network
    return new Promise((resolve, reject) => {
      const lives = this.#network.life
      scheduler.schedule(weather.delayMs(call), undefined, `marker to ${call.topic}`, () => {
        if (this.#network.up && this.#network.life === lives) resolve()
        else reject(brokerDown)
      })
    })
  }

  #set(id: string, state: TransactionState): void {
    const former = this.#states.get(id)
    this.#states.set(id, state)
    this.#durability.note(() => {
      if (former === undefined) this.#states.delete(id)
      else this.#states.set(id, former)
    })
  }
}

function fenced(id: string, timedOut: boolean): Error {
  return logError(
    'LOG_FENCED',
    timedOut
      ? `The transaction of ${id} was open too long and is aborted. Take the id over again.`
      : `Another transactor took ${id} over. Give this one up; its open transaction is aborted.`,
    { context: { timedOut } },
  )
}

function ignoreBrokerDown(error: unknown): void {
  if (error !== brokerDown) throw error
}
