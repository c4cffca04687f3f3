/** The coupon topology in the test driver, and what went in and came out as a history for the checkers. */
import { TopologyTestDriver, bytes, decode, utf8 } from '#topology'
import type { DeadLetter, TestInputTopic, TestOutputTopic } from '#topology'
import { formatClaimId } from './claim-id.ts'
import { checkHistory } from './invariants.ts'
import type { CommandRecord, KeyAndValue, PartitionHistory, Violation } from './invariants.ts'
import { couponTopics } from './messages.ts'
import type { CouponCommand, CouponResult, CouponStatus, OpeningTerms } from './messages.ts'
import { resultSerde } from './result-serde.ts'
import { statusSerde } from './status-serde.ts'
import { terms } from './test-coupons.ts'
import { nonceOf } from './test-data.ts'
import { couponStores, couponTopology } from './topology.ts'

/** What a test says of a command; the rest is filled in. */
export type Ask<C = CouponCommand> = C extends CouponCommand
  ? Omit<C, 'couponId' | 'by' | 'nonce'> & Partial<Pick<C, 'couponId' | 'by' | 'nonce'>>
  : never

export interface HarnessOptions {
  readonly idempotencyRetentionMs?: number
}

const topics = couponTopics()

export class CouponHarness {
  /** Milliseconds; the timestamp of the next record. */
  now = 1000
  readonly #options: HarnessOptions
  readonly #driver: TopologyTestDriver
  readonly #input: TestInputTopic<Uint8Array, Uint8Array>
  readonly #results: TestOutputTopic<Uint8Array, Uint8Array>
  readonly #statuses: TestOutputTopic<Uint8Array, Uint8Array>
  readonly #commands: CommandRecord[] = []
  readonly resultRecords: KeyAndValue[] = []
  readonly statusRecords: KeyAndValue[] = []

  constructor(options: HarnessOptions = {}) {
    this.#options = options
    this.#driver = new TopologyTestDriver(couponTopology({ topics, ...options }))
    this.#input = this.#driver.inputTopic(topics.issue, bytes, bytes)
    this.#results = this.#driver.outputTopic(topics.result, bytes, bytes)
    this.#statuses = this.#driver.outputTopic(topics.status, bytes, bytes)
  }

  /** Appends a command on coupon `c` by the operator `op` and returns its only result. */
  ask(ask: Ask, key?: string): CouponResult {
    const before = this.resultRecords.length
    this.append(this.command(ask), key)
    const records = this.resultRecords.slice(before)
    if (records.length !== 1) throw new Error(`a command led to ${records.length} results`)
    return decode(resultSerde, Buffer.from((records[0] as KeyAndValue).value))
  }

  open(change: Partial<OpeningTerms> = {}, more: Partial<Ask> = {}): CouponResult {
    return this.ask({ ...more, command: 'open', terms: terms(change) })
  }

  issue(userId: string, idempotencyKey?: string): CouponResult {
    return this.ask({ command: 'issue', userId, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
  }

  cancel(userId: string, claimId: string): CouponResult {
    return this.ask({ command: 'cancel', userId, claimId })
  }

  command(ask: Ask): CouponCommand {
    const by = 'userId' in ask ? ask.userId : 'op'
    return { couponId: 'c', by, nonce: nonceOf(this.#commands.length), ...ask }
  }

  append(command: CouponCommand, key: string = command.couponId): void {
    const value = Buffer.from(JSON.stringify(command))
    this.#pipe(Buffer.from(key), value, command)
  }

  appendBytes(key: string, value: string): void {
    this.#pipe(Buffer.from(key), Buffer.from(value), undefined)
  }

  #pipe(key: Buffer, value: Buffer, command: CouponCommand | undefined): void {
    const { offset, timestamp } = this.#input.pipe(key, value, { timestamp: this.now })
    this.#commands.push({ offset, timestamp, command })
    this.resultRecords.push(...this.#results.readAll())
    this.statusRecords.push(...this.#statuses.readAll())
  }

  get statuses(): CouponStatus[] {
    return this.statusRecords.map((record) => decode(statusSerde, Buffer.from(record.value)))
  }

  get statusKeys(): string[] {
    return this.statusRecords.map((record) => decode(utf8, Buffer.from(record.key)))
  }

  get history(): PartitionHistory {
    const results = this.resultRecords.map((record) => decode(resultSerde, Buffer.from(record.value)))
    return { partition: 0, commands: this.#commands, results, statuses: this.statuses }
  }

  get deadLetters(): readonly DeadLetter[] {
    return this.#driver.deadLetters()
  }

  /** Numbers of the buckets that still hold keys. */
  get keyBuckets(): number[] {
    return [...this.#driver.store(couponStores.idempotency).keys()]
  }

  /** How many users hold a piece. */
  holders(couponId = 'c'): number {
    return this.#driver.store(couponStores.issuedUsers).size(couponId)
  }

  violations(): Violation[] {
    return checkHistory(this.history, this.#options)
  }
}

export function claimIdOf({ nonce, partition, offset }: CouponResult): string {
  return formatClaimId({ nonce, version: 1, partition, offset })
}
