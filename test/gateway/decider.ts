/** Decides commands as the processor does, without a processor: the coupon topology in its test driver. */
import type { Log, Reader } from '#log'
import { couponTopology } from '#domain/coupon'
import type { CouponTopics } from '#domain/coupon'
import { TopologyTestDriver, bytes } from '#topology'

export class Decider {
  readonly #log: Log
  readonly #topics: CouponTopics
  readonly #reader: Reader
  readonly #driver: TopologyTestDriver
  readonly #running: Promise<void>
  #paused = false
  #resume: () => void = () => {}
  #closed = false
  /** Commands read so far. */
  decided = 0

  constructor(
    log: Log,
    topics: CouponTopics,
    partitions: number,
    options: { readonly idempotencyRetentionMs?: number } = {},
  ) {
    this.#log = log
    this.#topics = topics
    this.#driver = new TopologyTestDriver(couponTopology({ topics, ...options }), { partitions })
    this.#reader = log.reader()
    for (let partition = 0; partition < partitions; partition++) {
      this.#reader.seek({ topic: topics.issue, partition }, 0)
    }
    this.#running = this.#run()
  }

  /** Commands stay undecided until `resume`. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#resume()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.resume()
    this.#reader.wakeup()
    await this.#running
    await this.#reader.close()
  }

  async #run(): Promise<void> {
    const appender = this.#log.appender()
    const input = this.#driver.inputTopic(this.#topics.issue, bytes, bytes)
    const outputs = [this.#topics.status, this.#topics.result].map((topic) => ({
      topic,
      records: this.#driver.outputTopic(topic, bytes, bytes),
    }))
    while (!this.#closed) {
      const fetched = await this.#reader.poll(1000)
      if (this.#paused) await new Promise<void>((resolve) => (this.#resume = resolve))
      if (this.#closed) break
      for (const records of fetched) {
        const cursor = records.cursor()
        while (cursor.next()) {
          const { partition } = records
          input.pipe(cursor.key() ?? Buffer.alloc(0), cursor.value() ?? Buffer.alloc(0), {
            partition,
            timestamp: cursor.timestamp,
          })
          this.decided++
        }
      }
      await Promise.all(
        outputs.flatMap(({ topic, records }) =>
          records
            .readAll()
            .map(({ key, value, partition, timestamp, headers }) =>
              appender.append({ topic, key, value, partition, timestamp, headers }),
            ),
        ),
      )
    }
    await appender.close()
  }
}
