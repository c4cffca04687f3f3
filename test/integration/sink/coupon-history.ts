/** Random histories of coupons, decided by the real rules. */
import { SeededRandom } from '#core'
import { commandSerde, couponTopics, couponTopology, formatClaimId, resultSerde } from '#domain/coupon'
import type { CouponCommand, CouponResult, OpeningTerms } from '#domain/coupon'
import { partitionOf } from '#log'
import { TopologyTestDriver, utf8 } from '#topology'
import type { TestInputTopic, TestOutputTopic } from '#topology'
import { terms as openingTerms } from '../../../domain/coupon/test-coupons.ts'
import type { ResultLog } from '../../../sink/testing/result-log.ts'

export const topics = couponTopics()

const couponCount = 8
const userCount = 40

/** A command as a test says it; `by` and `nonce` are filled in. */
export type Said = CouponCommand extends infer C
  ? C extends CouponCommand
    ? Omit<C, 'by' | 'nonce'>
    : never
  : never

export class CouponHistory {
  /** Everything decided so far, in order. */
  readonly results: CouponResult[] = []
  readonly #log: ResultLog
  readonly #random: SeededRandom
  readonly #partitions: number
  readonly #input: TestInputTopic<string, CouponCommand>
  readonly #output: TestOutputTopic<string, CouponResult>
  #now: number
  #commands = 0

  /** @param startTime of the first command; each later one is a millisecond on */
  constructor(log: ResultLog, options: { partitions: number; seed: number; startTime: number }) {
    const { partitions, seed, startTime } = options
    this.#log = log
    this.#random = new SeededRandom(seed)
    this.#partitions = partitions
    this.#now = startTime
    const driver = new TopologyTestDriver(couponTopology({ topics }), {
      partitions,
      partitioner: (key, count) => partitionOf(key, count),
    })
    this.#input = driver.inputTopic(topics.issue, utf8, commandSerde)
    this.#output = driver.outputTopic(topics.result, utf8, resultSerde)
  }

  /** Decides one command and appends its result to the log. */
  ask(said: Said): CouponResult {
    const [result] = this.#decide(said)
    if (result === undefined) throw new Error('a command led to no result')
    this.#log.append(result.partition, [result])
    return result
  }

  open(couponId: string, terms: Partial<OpeningTerms> = {}): CouponResult {
    return this.ask({ command: 'open', couponId, terms: openingTerms(terms) })
  }

  /** Opens the coupons that `go` speaks of. */
  begin(): void {
    for (let coupon = 0; coupon < couponCount; coupon++) {
      this.open(`coupon-${coupon}`, {
        stock: this.#random.integer(1, 40),
        name: coupon % 2 === 0 ? null : `Name "${coupon}" \\ 쿠폰`,
        perUserLimit: this.#random.integer(1, 4),
        discount:
          coupon % 3 === 0 ? { percent: 12.5 } : coupon % 3 === 1 ? { amount: 500, currency: 'KRW' } : null,
        endsAt: coupon === 5 ? Date.UTC(9999, 11, 31, 23, 59, 59, 999) : null,
      })
    }
  }

  /** So many random commands; results reach the log in batches of several. */
  go(commands: number): void {
    const waiting = Array.from({ length: this.#partitions }, (): CouponResult[] => [])
    const flush = (partition: number): void => {
      this.#log.append(partition, waiting[partition]?.splice(0) ?? [])
    }
    for (let index = 0; index < commands; index++) {
      for (const result of this.#decide(this.#anything())) {
        waiting[result.partition]?.push(result)
        if (this.#random.next() < 0.1) flush(result.partition)
        // As a transaction's marker would.
        if (this.#random.next() < 0.01) this.#log.skip(result.partition, 1)
      }
    }
    for (const [partition, results] of waiting.entries()) if (results.length > 0) flush(partition)
  }

  #decide(said: Said): CouponResult[] {
    const nonce = (this.#commands++).toString(16).padStart(16, '0')
    const by = 'userId' in said ? said.userId : 'operator'
    const timestamp = this.#now++
    this.#input.pipe(said.couponId, { ...said, by, nonce }, { timestamp })
    const results = this.#output.readAll().map(({ value }) => value)
    this.results.push(...results)
    return results
  }

  #anything(): Said {
    const random = this.#random
    const couponId = `coupon-${random.integer(0, couponCount + 1)}`
    const userId = `user-${random.integer(0, userCount)}`
    const chance = random.next()
    if (chance < 0.12) {
      const issued = this.results.filter(({ outcome }) => outcome === 'issued')
      if (issued.length > 0) {
        const given = random.pick(issued)
        return {
          command: 'cancel',
          couponId: given.couponId,
          userId: given.userId,
          claimId: claimIdOf(given),
        }
      }
    }
    if (chance < 0.14) return { command: 'restock', couponId, add: random.integer(1, 10) }
    if (chance < 0.15) return { command: 'pause', couponId }
    if (chance < 0.17) return { command: 'resume', couponId }
    if (chance < 0.3) {
      return { command: 'issue', couponId, userId, idempotencyKey: `key-${random.integer(0, 60)}` }
    }
    return { command: 'issue', couponId, userId }
  }
}

export function claimIdOf({ nonce, partition, offset }: CouponResult): string {
  return formatClaimId({ nonce, version: topics.version, partition, offset })
}
