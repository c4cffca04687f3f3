/** Claims on all partitions at a steady rate, whatever becomes of them, and how long each waited for its decision. */
import { systemClock } from '#core'
import type { CouponTopics } from '#domain/coupon'
import type { Appender, Log } from '#log'
import { Decisions, allPartitions, couponOfEach, claimOf, openingOf } from './decisions.ts'

/** Decided before it begins. */
const claimsBefore = 2000
/** Between two claims: each partition gets one every 8 ms. */
const pauseMs = 2

interface Claim {
  readonly partition: number
  /** `performance.now`. */
  readonly askedAt: number
  decidedAt: number | undefined
}

interface Watcher {
  readonly partition: number
  readonly since: number
  readonly seen: (at: number) => void
}

export class ClaimStream {
  readonly #decisions: Decisions
  readonly #appender: Appender
  readonly #following: Promise<void>
  readonly #claims: Claim[] = []
  readonly #deciding = new Set<Promise<void>>()
  readonly #watchers = new Set<Watcher>()
  readonly #stop = new AbortController()
  #index = 0
  #failure: { readonly error: unknown } | undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(topics: CouponTopics, log: Log, from: readonly number[]) {
    this.#decisions = new Decisions(topics, log.reader(), from)
    this.#appender = log.appender()
    this.#following = this.#decisions.follow().catch((error: unknown) => this.#fail(error))
  }

  /** Of what is decided from now on. */
  static async open(topics: CouponTopics, log: Log): Promise<ClaimStream> {
    const places = allPartitions.map((partition) => ({ topic: topics.result, partition }))
    const ends = await log.admin.offsets(places)
    return new ClaimStream(
      topics,
      log,
      ends.map(({ highWatermark }) => highWatermark),
    )
  }

  /** Opens the coupons, has some claims decided, and goes on with one after the other. */
  async start(): Promise<void> {
    for (const couponId of couponOfEach) await this.#decisions.of(this.#appender, openingOf(couponId))
    for (let claim = 0; claim < claimsBefore; claim++) this.#ask()
    await Promise.all(this.#deciding)
    this.#running = this.#run()
  }

  /** Resolves with when the first claim was decided that a partition was asked after `since`. */
  firstDecision(partition: number, since: number): Promise<number> {
    return new Promise((seen) => this.#watchers.add({ partition, since, seen }))
  }

  /** Milliseconds, of claims asked since. */
  longestWait(partitions: readonly number[], since: number): number {
    const now = performance.now()
    const waits = this.#claims
      .filter(({ partition, askedAt }) => askedAt >= since && partitions.includes(partition))
      .map(({ askedAt, decidedAt }) => (decidedAt ?? now) - askedAt)
    return Math.max(0, ...waits)
  }

  /** Asks no more, waits until all are decided, and checks that each got what it asked for. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await Promise.all(this.#deciding)
    await this.abandon()
    if (this.#failure !== undefined) throw this.#failure.error
    if (this.#decisions.issued !== this.#index) {
      throw new Error(`${this.#decisions.issued} claims are issued, not ${this.#index}`)
    }
  }

  /** Asks no more, and waits for nothing. Idempotent. */
  async abandon(): Promise<void> {
    this.#stop.abort()
    this.#decisions.stop()
    await this.#following
    await this.#appender.close()
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#ask()
      await systemClock.sleep(pauseMs)
    }
  }

  #ask(): void {
    const index = this.#index++
    const claim: Claim = {
      partition: index % couponOfEach.length,
      askedAt: performance.now(),
      decidedAt: undefined,
    }
    this.#claims.push(claim)
    const deciding = this.#decided(claim, index)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => this.#deciding.delete(deciding))
    this.#deciding.add(deciding)
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#stop.abort()
  }

  async #decided(claim: Claim, index: number): Promise<void> {
    await this.#decisions.of(this.#appender, claimOf(index))
    const at = performance.now()
    claim.decidedAt = at
    for (const watcher of this.#watchers) {
      if (watcher.partition !== claim.partition || claim.askedAt < watcher.since) continue
      this.#watchers.delete(watcher)
      watcher.seen(at)
    }
  }
}
