/** Claims: placing one in line, what became of it, giving it back. */
import type { Clock } from '#core'
import { formatClaimId, gateAnswer, parseClaimId } from '#domain/coupon'
import type { ClaimPosition, CouponResult, GateCode } from '#domain/coupon'
import { HttpProblem } from '../http/problem.ts'
import { traceHeaders } from '../http/traceparent.ts'
import { decidedClaim, heldClaimId } from '../views/claim-state.ts'
import type { ClaimState } from '../views/claim-state.ts'
import type { CouponEntry } from '../views/coupon-view.ts'
import { appendCommand } from './backend.ts'
import type { Backend } from './backend.ts'
import { decisionOf } from './decision.ts'
import { nextNonce } from './nonces.ts'

/** By time the gate refuses only so far beyond a limit: its clock is not the log's. */
const gateToleranceMs = 2000

export interface ClaimRequest {
  readonly couponId: string
  readonly userId: string
  readonly idempotencyKey: string | undefined
  readonly traceparent: string | undefined
}

export type Placement =
  /** Nothing was written. */
  | { readonly kind: 'refused'; readonly code: GateCode; readonly startsAt?: number }
  | { readonly kind: 'placed'; readonly position: ClaimPosition }
  /** The key was seen before; `position` is the first claim's. */
  | { readonly kind: 'repeat'; readonly position: ClaimPosition; readonly gateOpen: boolean }

export class Claims {
  readonly #backend: Backend
  readonly #clock: Clock

  constructor(backend: Backend, clock: Clock) {
    this.#backend = backend
    this.#clock = clock
  }

  /** False when too many wait already: a wish to wait is then ignored, as any preference may be. */
  get canWait(): boolean {
    return !this.#backend.waiters.full
  }

  /** When the coupon starts, milliseconds; null when it always did or is not known. */
  startsAt(couponId: string): number | null {
    return this.#backend.coupons.get(couponId)?.snapshot.startsAt ?? null
  }

  /** Errors: unknown-coupon, idempotency-key-reused, overloaded; those of Appender.append. */
  async place(request: ClaimRequest): Promise<Placement> {
    const { coupons, follower, lookUp } = this.#backend
    const { couponId, idempotencyKey } = request
    let entry = coupons.get(couponId)
    const stalled = follower.stalled()
    if (entry === undefined && !stalled) {
      await lookUp.before(couponId)
      entry = coupons.get(couponId)
      if (entry === undefined) throw unknownCoupon(couponId)
    }
    // A gate that could not read for a while refuses nothing: what it would say may be long over.
    const gate =
      entry === undefined || stalled
        ? openGate
        : gateAnswer(entry.snapshot, this.#clock.now(), gateToleranceMs)
    if (idempotencyKey === undefined) {
      if (!gate.open) return { kind: 'refused', ...gate }
      return { kind: 'placed', position: await this.#append(request) }
    }
    const first = this.#firstUnder(request, idempotencyKey)
    if (first !== undefined) return { kind: 'repeat', position: await first, gateOpen: gate.open }
    if (!gate.open && entry !== undefined && this.#viewIsPast(entry, gate.code))
      return { kind: 'refused', ...gate }
    const append = (): Promise<ClaimPosition> => this.#append(request)
    const position = await this.#backend.keys.begin(couponId, idempotencyKey, request.userId, append)
    return { kind: 'placed', position }
  }

  /**
   * What a claim is now, or once it is decided within `waitMs`.
   * Errors: unknown-claim, claim-expired; those of the log.
   */
  async state(claimId: string, waitMs: number): Promise<ClaimState> {
    const position = this.#parse(claimId)
    const decided = this.#decided(position, claimId)
    if (decided !== undefined) return decidedClaim(decided, claimId, this.#backend.results)
    const command = await this.#backend.commands.read(position.partition, position.offset)
    if (command?.command !== 'issue' || command.nonce !== position.nonce) throw unknownClaim()
    const { couponId, userId } = command
    return this.outcome(position, couponId, userId, waitMs)
  }

  /** The same for a claim whose user and coupon are known. */
  async outcome(
    position: ClaimPosition,
    couponId: string,
    userId: string,
    waitMs: number,
  ): Promise<ClaimState> {
    const { results, waiters } = this.#backend
    const { partition, offset } = position
    const claimId = formatClaimId(position)
    const found = results.find(partition, offset)
    const waited =
      found.kind === 'pending' && waitMs > 0 ? await waiters.wait(partition, offset, waitMs) : undefined
    const decided = waited ?? this.#decided(position, claimId)
    if (decided !== undefined) return decidedClaim(decided, claimId, results)
    const ahead = Math.max(0, offset - results.decidedPosition(partition))
    return { claimId, couponId, userId, status: 'pending', ahead }
  }

  /** Gives a piece back. Errors: unknown-claim, claim-expired, not-issued, outcome-unknown; those of append. */
  async cancel(claimId: string, traceparent: string | undefined): Promise<ClaimState> {
    const { results } = this.#backend
    const position = this.#parse(claimId)
    const result = this.#decided(position, claimId)
    if (result === undefined) {
      // Tells an unknown claim from one that is not decided yet.
      await this.state(claimId, 0)
      throw new HttpProblem('not-issued', { detail: 'The claim is not decided yet. Ask again when it is.' })
    }
    const before = decidedClaim(result, claimId, results)
    if (before.status === 'cancelled') return before
    if (before.status === 'issued') {
      const { couponId, userId } = result
      const held = heldClaimId(result, claimId)
      const command = {
        command: 'cancel',
        couponId,
        userId,
        claimId: held,
        by: userId,
        nonce: nextNonce(),
      } as const
      await decisionOf(this.#backend, command, traceHeaders(traceparent))
      // Whoever's cancel came first: given back is given back.
      const after = decidedClaim(result, claimId, results)
      if (after.status === 'cancelled') return after
    }
    throw new HttpProblem('not-issued', {
      detail: 'The claim holds no piece, so there is nothing to give back.',
    })
  }

  async #append(request: ClaimRequest): Promise<ClaimPosition> {
    const { couponId, userId, idempotencyKey, traceparent } = request
    const nonce = nextNonce()
    const command = { command: 'issue', couponId, userId, by: userId, nonce } as const
    const { partition, offset } = await appendCommand(
      this.#backend,
      idempotencyKey === undefined ? command : { ...command, idempotencyKey },
      traceHeaders(traceparent),
    )
    return { nonce, version: this.#backend.topics.version, partition, offset }
  }

  /** The first claim under the key, in flight or decided. Errors: idempotency-key-reused. */
  #firstUnder(request: ClaimRequest, key: string): Promise<ClaimPosition> | ClaimPosition | undefined {
    const { keys, results, topics } = this.#backend
    const inFlight = keys.find(request.couponId, key)
    if (inFlight !== undefined) {
      if (inFlight.userId !== request.userId) throw keyReused()
      return inFlight.position
    }
    const first = results.firstUnder(request.couponId, key)
    if (first === undefined) return undefined
    const { partition, offset } = first
    const found = results.find(partition, offset)
    if (found.kind !== 'decided') return undefined
    const { command, userId, nonce } = found.result
    if (command !== 'issue' || userId !== request.userId) throw keyReused()
    return { nonce, version: topics.version, partition, offset }
  }

  /** Whether every claim that could have passed before the gate shut is decided in the view. */
  #viewIsPast({ snapshot, partition, offset }: CouponEntry, code: GateCode): boolean {
    const { results } = this.#backend
    // Nothing passes before the start, so there is nothing to miss.
    if (code === 'not-started') return true
    if (code === 'ended') return results.lastDecidedAt(partition) >= (snapshot.endsAt ?? 0)
    return results.decidedPosition(partition) > offset
  }

  #parse(claimId: string): ClaimPosition {
    const { topics, partitions } = this.#backend
    const position = parseClaimId(claimId)
    if (position?.version !== topics.version || position.partition >= partitions) throw unknownClaim()
    return position
  }

  /** The claim's result; undefined while it is pending. Errors: unknown-claim, claim-expired. */
  #decided({ partition, offset, nonce }: ClaimPosition, claimId: string): CouponResult | undefined {
    const found = this.#backend.results.find(partition, offset)
    if (found.kind === 'pending') return undefined
    if (found.kind === 'expired') {
      throw new HttpProblem('claim-expired', { detail: `Claim ${claimId} was decided too long ago.` })
    }
    if (found.kind === 'none' || found.result.nonce !== nonce || found.result.command !== 'issue') {
      throw unknownClaim()
    }
    return found.result
  }
}

const openGate = { open: true } as const

export function unknownCoupon(couponId: string): HttpProblem {
  return new HttpProblem('unknown-coupon', { detail: `There is no coupon ${couponId}.` })
}

function unknownClaim(): HttpProblem {
  return new HttpProblem('unknown-claim', { detail: 'There is no claim with this id.' })
}

function keyReused(): HttpProblem {
  return new HttpProblem('idempotency-key-reused', {
    detail: 'This Idempotency-Key stands for another request. Use a new key for a new request.',
  })
}
