/** Commands appended to a log, and their results as a reader sees them. */
import { commandSerde, peekResult } from '#domain/coupon'
import type { CouponCommand, CouponTopics } from '#domain/coupon'
import type { Appender, Reader } from '#log'
import { encode } from '#topology'
import { partitionOfCoupon, partitions } from '../../test/system/commands.ts'
import { issueCommand, openCommand } from './commands.ts'

const pollMs = 1000

/** Follows the results and tells each command's sender of its own. */
export class Decisions {
  issued = 0
  readonly #topics: CouponTopics
  readonly #reader: Reader
  readonly #waiting = new Map<string, () => void>()
  /** Seen before the append was acknowledged to the sender. */
  readonly #early = new Set<string>()
  #stopped = false

  /** @param from where the results begin, by partition; else at the start of the log */
  constructor(topics: CouponTopics, reader: Reader, from: readonly number[] = []) {
    this.#topics = topics
    this.#reader = reader
    for (let partition = 0; partition < partitions; partition++) {
      reader.seek({ topic: topics.result, partition }, from[partition] ?? 0)
    }
  }

  /** Appends a command; resolves once its result is seen, with when the append was acknowledged (`performance.now`). */
  async of(appender: Appender, command: CouponCommand): Promise<number> {
    const value = encode(commandSerde, command)
    const { issue } = this.#topics
    const { partition, offset } = await appender.append({ topic: issue, key: command.couponId, value })
    const acknowledgedAt = performance.now()
    const place = `${partition}/${offset}`
    if (!this.#early.delete(place)) {
      await new Promise<void>((resolve) => {
        this.#waiting.set(place, resolve)
      })
    }
    return acknowledgedAt
  }

  async follow(): Promise<void> {
    const peek = peekResult(Buffer.from('{}'), 0, 2)
    while (!this.#stopped) {
      for (const fetched of await this.#reader.poll(pollMs)) {
        for (const cursor = fetched.cursor(); cursor.next();) {
          peekResult(cursor.buffer, cursor.valueStart, cursor.valueEnd, peek)
          if (peek.outcome === 'issued') this.issued++
          this.#tell(`${peek.partition}/${peek.offset}`)
        }
      }
    }
  }

  stop(): void {
    this.#stopped = true
    this.#reader.wakeup()
  }

  #tell(place: string): void {
    const waiting = this.#waiting.get(place)
    if (waiting === undefined) this.#early.add(place)
    else {
      this.#waiting.delete(place)
      waiting()
    }
  }
}

/** A coupon that does not sell out. */
export function openingOf(couponId: string): CouponCommand {
  return openCommand(couponId, 1e12)
}

/** One for each partition, so that all take part. */
export const couponOfEach = Array.from({ length: partitions }, (_, partition) => couponIn(partition))

export const allPartitions = couponOfEach.map((_, partition) => partition)

/** Of one partition after the other. */
export function claimOf(index: number): CouponCommand {
  return issueCommand(couponOfEach[index % couponOfEach.length] as string, index)
}

function couponIn(partition: number): string {
  for (let number = 0; ; number++) {
    // Not those of preloaded claims.
    if (partitionOfCoupon(`steady-${number}`) === partition) return `steady-${number}`
  }
}
