/**
 * Clients that never stop asking, and remember every answer: the load of the fault tests.
 *
 * Each request that changes something carries an Idempotency-Key half of the time; one whose outcome a fault left
 * open is asked again with the same key, as a careful client does.
 */
import { systemClock } from '#core'
import type { SeededRandom } from '#core'
import type { System } from './system.ts'

const finishMs = 180_000

export interface ClaimAnswer {
  readonly claimId: string
  readonly couponId: string
  readonly userId: string
  readonly status: string
  readonly key: string | undefined
}

export interface LoadOptions {
  readonly system: System
  readonly random: SeededRandom
  readonly coupons: readonly string[]
  readonly users: number
  readonly clients: number
  /** Each client waits so long after each answer, milliseconds. Default 0. */
  readonly everyMs?: number
}

interface Request {
  readonly couponId: string
  readonly userId: string
  readonly key: string | undefined
  readonly wait: boolean
}

export class Load {
  /** Every claim that was acknowledged with 202, or decided at once. */
  readonly acknowledged: ClaimAnswer[] = []
  /** Answers by status. */
  readonly statuses = new Map<number, number>()
  /** Requests whose outcome is not known, to be asked again. */
  readonly #open: Request[] = []
  readonly #options: LoadOptions
  #keys = 0
  #running = false
  #clients: Promise<void>[] = []

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = true
    this.#clients = Array.from({ length: this.#options.clients }, () => this.#client())
  }

  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#clients)
  }

  /** Asks again for everything whose outcome is open, until it is answered. Fails when that takes three minutes. */
  async finish(): Promise<void> {
    const deadline = systemClock.now() + finishMs
    for (let request = this.#open.shift(); request !== undefined; request = this.#open.shift()) {
      if (systemClock.now() > deadline) throw new Error(`${this.#open.length + 1} requests get no answer`)
      if (!(await this.#ask(request))) await systemClock.sleep(20)
    }
  }

  async #client(): Promise<void> {
    const { everyMs = 0 } = this.#options
    while (this.#running) {
      if (everyMs > 0) await systemClock.sleep(everyMs)
      const again = this.#options.random.next() < 0.3 ? this.#open.shift() : undefined
      if (!(await this.#ask(again ?? this.#request()))) await systemClock.sleep(5)
    }
  }

  #request(): Request {
    const { random, coupons, users } = this.#options
    return {
      couponId: random.pick(coupons),
      userId: `user-${random.integer(0, users)}`,
      key: random.next() < 0.5 ? `key-${this.#keys++}` : undefined,
      wait: random.next() < 0.1,
    }
  }

  /** False when the program could not be asked. */
  async #ask(request: Request): Promise<boolean> {
    const { couponId, userId, key, wait } = request
    const headers = { ...(key && { 'idempotency-key': key }), ...(wait && { prefer: 'wait=2' }) }
    try {
      const path = `/api/v1/coupons/${couponId}/claims`
      const { status, body } = await this.#options.system.http.send('POST', path, { userId }, headers)
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
      const answer = body as { readonly claimId?: string; readonly status: string | number }
      if (status >= 500) this.#keep(request)
      else if (answer.claimId !== undefined) {
        const { claimId } = answer
        // A problem's status is that of the response.
        const state = typeof answer.status === 'string' ? answer.status : 'rejected'
        this.acknowledged.push({ claimId, couponId, userId, status: state, key })
      }
      return status < 500
    } catch {
      // Killed before it answered: whether it was appended is not known.
      this.#keep(request)
      return false
    }
  }

  #keep(request: Request): void {
    if (request.key !== undefined) this.#open.push(request)
  }
}
