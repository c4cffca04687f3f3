/** A sale in three processes on Kafka that goes on while a test does harm, and has to be found whole in the end. */
import { expect } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { checkCheckpointsGrow, checkOffsetsGrow } from '#processor'
import type { WrittenCheckpoint } from '#processor'
import { changelogTopic } from '#state'
import { checkpointsOf, stores } from '../../system/checkpoints.ts'
import { coupons, openCoupon } from '../../system/commands.ts'
import { checkAnswers, checkKeys, checkNonces } from '../../system/one-outcome.ts'
import { Load } from '../../system/load.ts'
import { decided, endsOf, loaded } from '../../system/settled.ts'
import { System } from '../../system/system.ts'
import { verify } from '../../system/verify.ts'
import { abortedIn } from './aborted.ts'
import type { Aborted } from './aborted.ts'
import { seed } from './long-form.ts'
import { offsetsInLog } from './offsets-in-log.ts'

export interface SaleOptions {
  /** `host:port,…` of the whole system's Kafka. */
  readonly brokers: string
  /** What follows `kafka://` in the processor's LOG_URL; `brokers` by default. */
  readonly processorBrokers?: string
  /** As that, for gateway and sink. */
  readonly otherBrokers?: string
  readonly clients?: number
}

export interface SaleReport {
  readonly requests: number
  readonly acknowledged: number
  readonly results: number
  readonly aborted: Aborted
}

export class Sale {
  readonly system: System
  readonly load: Load
  readonly random = new SeededRandom(seed)
  readonly #options: SaleOptions
  readonly #checkpoints: WrittenCheckpoint[] = []
  #life = 0

  private constructor(system: System, options: SaleOptions) {
    this.system = system
    this.#options = options
    const { clients = 24 } = options
    this.load = new Load({ system, random: this.random, coupons, users: 5000, clients })
  }

  /** Everything runs and is asked from now on. */
  static async open(options: SaleOptions): Promise<Sale> {
    const system = await System.create({ log: 'kafka', apart: true, brokers: options.brokers })
    const sale = new Sale(system, options)
    try {
      await sale.#startAll()
      for (const [at, coupon] of coupons.entries()) {
        // Some sell out early, some never.
        await openCoupon(system, coupon, { stock: 10 ** (2 + at), perUserLimit: 1 + 10 * (at % 3) })
      }
      sale.load.start()
      return sale
    } catch (error) {
      await sale.destroy()
      throw error
    }
  }

  /** Starts it all again after a stop. */
  async start(): Promise<void> {
    await this.#startAll()
    this.load.start()
  }

  async #startAll(): Promise<void> {
    const { brokers, otherBrokers = brokers } = this.#options
    const others = this.system.start({ LOG_URL: `kafka://${otherBrokers}` }, ['gateway', 'sink'])
    await Promise.all([others, this.startProcessor()])
  }

  async startProcessor(): Promise<void> {
    const { brokers, processorBrokers = brokers } = this.#options
    try {
      await this.system.start({ LOG_URL: `kafka://${processorBrokers}` }, ['processor'])
    } catch (cause) {
      throw new Error(`the processor said: ${this.system.stderr}`, { cause })
    }
  }

  /** kill -9; notes how far its state had come. */
  async killProcessor(): Promise<void> {
    await this.system.killOnly('processor')
    for (const { taskId, store, offset } of await checkpointsOf(this.system)) {
      this.#checkpoints.push({ life: `${taskId} ${this.#life}`, store, offset })
    }
  }

  /** The state directory begins a new life. */
  stateWiped(): void {
    this.#life++
  }

  pause(ms: number): Promise<void> {
    return systemClock.sleep(ms)
  }

  /** Ends the sale in order, waits until every store has everything, and fails unless all invariants hold. */
  async settle(): Promise<SaleReport> {
    try {
      return await this.#settle()
    } catch (error) {
      console.error(`What the processes have said:\n${this.system.stderr}`)
      throw error
    }
  }

  async #settle(): Promise<SaleReport> {
    const { system, load } = this
    await load.stop()
    await load.finish()
    const claimIds = load.acknowledged.map(({ claimId }) => claimId)
    // Something was asked all the while: with a broker that restarts, this machine gets 500 and more.
    expect(claimIds.length).toBeGreaterThan(50)
    await decided(system, claimIds.slice(-20))
    await loaded(system, endsOf(claimIds))
    expect(await system.stop()).toBe(0)
    const { violations, histories } = await verify(system, load.acknowledged)
    const results = histories.flatMap((history) => history.results)
    expect(violations).toEqual([])
    expect(checkKeys(results)).toEqual([])
    expect(checkNonces(histories)).toEqual([])
    expect(checkAnswers(load.acknowledged, results)).toEqual([])
    expect(checkOffsetsGrow(await offsetsInLog(this.#options.brokers, system.appId))).toEqual([])
    expect(checkCheckpointsGrow(this.#checkpoints)).toEqual([])
    expect(results.filter(({ reason }) => reason === 'internal-error')).toEqual([])
    const changelogs = stores.map(({ name }) => changelogTopic(system.appId, name))
    const aborted = await abortedIn(this.#options.brokers, [system.topics.result, ...changelogs])
    const requests = [...load.statuses.values()].reduce((sum, count) => sum + count, 0)
    return { requests, acknowledged: claimIds.length, results: results.length, aborted }
  }

  async destroy(): Promise<void> {
    await this.load.stop()
    await this.system.destroy()
  }
}

/** For docs/reliability.md, and to see in CI that something happened. */
export function tell(what: string, report: SaleReport): void {
  const { requests, acknowledged, results, aborted } = report
  console.log(
    `${what} (SEED=${seed}): ${requests} answers, ${acknowledged} acknowledged, ${results} results, ` +
      `${aborted.transactions} aborted transactions with ${aborted.records} records in the log`,
  )
}
