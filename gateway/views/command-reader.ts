/**
 * Reads single commands of `coupon-issue`: a claim that is not decided yet names its user and coupon only there, and
 * only its nonce tells a true claim id from a made-up one. One poll at a time, each partition's next wish in it; what
 * was read is kept for a while, since a waiting client asks again and again.
 */
import { HttpProblem } from '../http/problem.ts'
import { commandSerde } from '#domain/coupon'
import type { CouponCommand } from '#domain/coupon'
import { isMillraceError } from '#core'
import type { FetchedRecords, Log, Reader } from '#log'

interface Wish {
  readonly partition: number
  readonly offset: number
  readonly resolve: (command: CouponCommand | undefined) => void
  readonly reject: (error: unknown) => void
}

const keptMax = 20_000
const wishesMax = 10_000
const pollMs = 1000

export class CommandReader {
  readonly #log: Log
  readonly #topic: string
  readonly #reader: Reader
  readonly #kept = new Map<string, CouponCommand>()
  readonly #ends = new Map<number, number>()
  #wishes: Wish[] = []
  #working: Promise<void> | undefined
  #closed = false

  constructor(log: Log, topic: string) {
    this.#log = log
    this.#topic = topic
    this.#reader = log.reader({ partitionBytesMax: 16 << 10 })
  }

  /** Undefined when there is no readable command at this offset. Errors: overloaded, those of the log. */
  read(partition: number, offset: number): Promise<CouponCommand | undefined> {
    const kept = this.#kept.get(keyOf(partition, offset))
    if (kept !== undefined) return Promise.resolve(kept)
    if (this.#wishes.length >= wishesMax || this.#closed) {
      return Promise.reject(
        new HttpProblem('overloaded', { detail: 'Too many claims are asked for. Try again.' }),
      )
    }
    return new Promise((resolve, reject) => {
      this.#wishes.push({ partition, offset, resolve, reject })
      this.#working ??= this.#work()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#reader.wakeup()
    await this.#working
    await this.#reader.close()
  }

  async #work(): Promise<void> {
    while (this.#wishes.length > 0) {
      const wishes = this.#wishes
      this.#wishes = []
      try {
        await this.#grant(wishes)
      } catch (error) {
        const gone = isMillraceError(error, 'LOG_OFFSET_OUT_OF_RANGE')
        for (const wish of wishes) {
          if (gone) wish.resolve(undefined)
          else wish.reject(error)
        }
      }
    }
    this.#working = undefined
  }

  async #grant(wishes: readonly Wish[]): Promise<void> {
    await this.#learnEnds(wishes)
    const wanted = new Map<number, Wish[]>()
    for (const wish of wishes) {
      const kept = this.#kept.get(keyOf(wish.partition, wish.offset))
      if (kept !== undefined || wish.offset >= (this.#ends.get(wish.partition) ?? 0)) wish.resolve(kept)
      else wanted.set(wish.partition, [...(wanted.get(wish.partition) ?? []), wish])
    }
    for (const [partition, of] of wanted) {
      const next = Math.min(...of.map((wish) => wish.offset))
      this.#reader.seek({ topic: this.#topic, partition }, next)
    }
    while (wanted.size > 0) {
      if (this.#closed) throw new HttpProblem('log-unavailable', { detail: 'The gateway is stopping.' })
      for (const records of await this.#reader.poll(pollMs)) this.#keep(records)
      for (const partition of wanted.keys()) this.#advance(partition, wanted)
    }
  }

  /** Asks for the log's ends only when a wish lies beyond what is known to exist. */
  async #learnEnds(wishes: readonly Wish[]): Promise<void> {
    const beyond = wishes.filter((wish) => wish.offset >= (this.#ends.get(wish.partition) ?? 0))
    const partitions = [...new Set(beyond.map((wish) => wish.partition))]
    if (partitions.length === 0) return
    const offsets = await this.#log.admin.offsets(
      partitions.map((partition) => ({ topic: this.#topic, partition })),
    )
    for (const { partition, lastStableOffset } of offsets) this.#ends.set(partition, lastStableOffset)
  }

  #keep(records: FetchedRecords): void {
    const cursor = records.cursor()
    while (cursor.next()) {
      const command = readable(cursor.buffer, cursor.valueStart, cursor.valueEnd)
      if (command === undefined) continue
      if (this.#kept.size >= keptMax) {
        const [eldest] = this.#kept.keys()
        this.#kept.delete(eldest as string)
      }
      this.#kept.set(keyOf(records.partition, cursor.offset), command)
    }
  }

  /** Answers the wishes that reading has passed, and moves on to the next one of the partition. */
  #advance(partition: number, wanted: Map<number, Wish[]>): void {
    const place = { topic: this.#topic, partition }
    const position = this.#reader.position(place) ?? 0
    const left: Wish[] = []
    for (const wish of wanted.get(partition) ?? []) {
      if (wish.offset >= position) left.push(wish)
      else wish.resolve(this.#kept.get(keyOf(partition, wish.offset)))
    }
    if (left.length > 0) {
      wanted.set(partition, left)
      this.#reader.seek(place, Math.min(...left.map((wish) => wish.offset)))
    } else {
      wanted.delete(partition)
      this.#reader.remove(place)
    }
  }
}

function keyOf(partition: number, offset: number): string {
  return `${partition}-${offset}`
}

function readable(buffer: Buffer, start: number, end: number): CouponCommand | undefined {
  if (end < start) return undefined
  try {
    return commandSerde.read(buffer, start, end)
  } catch {
    return undefined
  }
}
