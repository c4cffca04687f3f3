/** What users and operators ask for in a run: few of everything, so that commands meet. */
import type { SeededRandom } from '#core'
import { formatClaimId } from '#domain/coupon'
import type { CouponCommand, OpeningTerms } from '#domain/coupon'
import type { Ask } from './scenario.ts'

/** Where a claim is that was acknowledged: something to cancel. */
export interface Claim {
  readonly couponId: string
  readonly userId: string
  readonly nonce: string
  readonly partition: number
  readonly offset: number
}

const coupons = ['c1', 'c2', 'c3', 'c4']
const users = ['ann', 'bob', 'cat', 'dan', 'eve', 'fay']
const idempotencyKeys = ['k1', 'k2', 'k3', 'k4']

export class CouponLoad {
  readonly #random: SeededRandom
  readonly #startMs: number
  readonly claims: Claim[] = []
  #count = 0

  constructor(random: SeededRandom, startMs: number) {
    this.#random = random
    this.#startMs = startMs
  }

  next(): Ask {
    const random = this.#random
    const number = this.#count++
    const couponId = random.pick(coupons)
    const chance = random.next()
    if (chance < 0.02) return { key: couponId, value: random.pick(['{}', 'not json', null]) }
    const command = this.#command(number, couponId)
    // A writer who used another key than the coupon.
    return { key: chance < 0.04 ? 'other' : command.couponId, value: JSON.stringify(command) }
  }

  #command(number: number, couponId: string): CouponCommand {
    const random = this.#random
    const userId = random.pick(users)
    const key = random.next() < 0.3 ? { idempotencyKey: random.pick(idempotencyKeys) } : {}
    const base = { couponId, nonce: number.toString(16).padStart(16, '0'), ...key }
    const operator = { ...base, by: random.pick(['op', 'root']) }
    const chance = number < coupons.length ? 0 : random.next()
    if (chance < 0.1) {
      const coupon = number < coupons.length ? (coupons[number] as string) : couponId
      return { ...operator, couponId: coupon, command: 'open', terms: this.#terms() }
    }
    if (chance < 0.25) return this.#cancel(base) ?? { ...base, by: userId, command: 'issue', userId }
    if (chance < 0.32) return { ...operator, command: 'restock', add: random.integer(1, 4) }
    if (chance < 0.4) return { ...operator, command: random.pick(['pause', 'resume', 'resume']) }
    if (chance < 0.41) return { ...operator, command: 'close' }
    return { ...base, by: userId, command: 'issue', userId }
  }

  #cancel(base: { readonly nonce: string; readonly idempotencyKey?: string }): CouponCommand | undefined {
    const claim = this.claims.length === 0 ? undefined : this.#random.pick(this.claims)
    if (claim === undefined) return undefined
    const { couponId, userId, nonce, partition, offset } = claim
    const claimId = formatClaimId({ nonce, version: 1, partition, offset })
    return { ...base, couponId, by: userId, command: 'cancel', userId, claimId }
  }

  #terms(): OpeningTerms {
    const random = this.#random
    return {
      stock: random.integer(0, 6),
      // A long one makes a result that its topic does not take: the record fails after it has written.
      name: random.pick([null, 'sale', 'n'.repeat(200)]),
      perUserLimit: random.integer(1, 4),
      startsAt: random.next() < 0.2 ? this.#startMs + random.integer(0, 2_000) : null,
      endsAt: random.next() < 0.2 ? this.#startMs + random.integer(2_001, 8_000) : null,
      discount: null,
      validUntil: null,
    }
  }
}
