/**
 * Results into Redis, for others to read. Keys (braces are placeholders; all behind the client's prefix):
 *
 * - `coupon:available:{couponId}`: `true` while the coupon is neither closed nor paused and has pieces left, else
 *   `false`. Time is not part of it: a fold of results changes only with a result, so a coupon before its start or
 *   after its end may read `true`; compare `startsAt` and `endsAt` of its view.
 * - `coupons:available`: the set of those ids.
 * - `coupon:view:{couponId}`: hash of couponId, name, stock, issued, remaining, perUserLimit, startsAt, endsAt,
 *   discount (JSON), validUntil, paused, closed, openedAt, version; times in ms since the epoch, nulls left out.
 * - `claim:{claimId}`: JSON (`ClaimView`), gone after the result retention.
 * - `user:{userId}:coupons`: hash, `{couponId}/{sequence}` → JSON (`HeldView`), cancelled ones included.
 * - `sink:owner:{topic}`: the log all this is of; `sink:offset:{log}:{topic}`: hash partition → next offset.
 *
 * Versions are the coupons' own and only grow, so a rebuild over what is left takes nothing back. Redis must not evict
 * (`maxmemory-policy noeviction`): a view that is gone makes the sink rebuild from the log's start.
 */
import type { Clock } from '#core'
import type { CouponSnapshot } from '#domain/coupon'
import { sinkError } from '../errors.ts'
import type { ResultBatch } from '../intake.ts'
import { logChanged } from '../log-identity.ts'
import type { LogIdentity } from '../log-identity.ts'
import type { Store } from '../store.ts'
import { foldKeys } from './fold-keys.ts'
import type { KeyChanges } from './fold-keys.ts'
import type { RedisClient } from './redis-client.ts'
import { applyScript, positionsScript } from './scripts.ts'

export interface RedisStoreOptions {
  readonly client: RedisClient
  readonly topicVersion: number
  readonly clock: Clock
  readonly resultRetentionMs: number
}

export class RedisStore implements Store {
  readonly name = 'redis'
  readonly title = 'The Redis keys'
  /** The tables' batches set the pace. */
  readonly lingerMs = 0
  readonly #options: RedisStoreOptions

  constructor(options: RedisStoreOptions) {
    this.#options = options
  }

  async positions(identity: LogIdentity): Promise<number[]> {
    const { client } = this.#options
    const parameters = [identity.logId, String(identity.partitions)]
    const answer = await client.run(positionsScript, keysOf(identity), parameters)
    const [verdict, ...rest] = answer as string[]
    if (verdict === 'log-changed') throw logChanged('The Redis keys', rest[0] ?? '', identity)
    // No offset: the keys were never filled or are lost, so they are rebuilt from the start.
    return rest.map((text) => (text === '' ? 0 : Number(text)))
  }

  async apply(batch: ResultBatch, identity: LogIdentity): Promise<boolean> {
    const { client, topicVersion, clock, resultRetentionMs } = this.#options
    const decidedSince = clock.now() - resultRetentionMs
    const changes = foldKeys(batch.results, { topicVersion, decidedSince })
    const text = JSON.stringify(scriptBatch(batch, changes, decidedSince))
    const verdict = await client.run(applyScript, keysOf(identity), [identity.logId, client.keyPrefix, text])
    if (verdict === 'applied') return true
    if (verdict === 'moved' || verdict === 'lost') return false
    throw sinkError('SINK_STORE_REFUSED', `Redis gave an answer we do not know: ${JSON.stringify(verdict)}.`)
  }

  /** Keys expire by themselves. */
  async maintain(): Promise<void> {}
}

function keysOf({ logId, topic }: LogIdentity): string[] {
  return [`sink:owner:${topic}`, `sink:offset:${logId}:${topic}`]
}

/** The batch as `applyScript` reads it. */
export interface ScriptBatch {
  /** Partition, from, to. */
  readonly steps: readonly (readonly [string, string, string])[]
  /** Coupon, version, fields and values in turn. */
  readonly coupons: readonly (readonly [string, string, readonly string[]])[]
  /** Coupon, version, remaining. */
  readonly levels: readonly (readonly [string, string, string])[]
  /** Claim, version, time to live in ms, JSON. */
  readonly claims: readonly (readonly [string, string, string, string])[]
  /** User, field, version, JSON. */
  readonly held: readonly (readonly [string, string, string, string])[]
}

/** @param decidedSince the instant (ms) whose decisions expire now */
export function scriptBatch(batch: ResultBatch, changes: KeyChanges, decidedSince: number): ScriptBatch {
  return {
    steps: batch.steps.map(({ partition, from, to }) => [String(partition), String(from), String(to)]),
    coupons: changes.coupons.map((coupon) => [coupon.couponId, String(coupon.version), viewFields(coupon)]),
    levels: changes.levels.map(({ couponId, version, remaining }) => [
      couponId,
      String(version),
      String(remaining),
    ]),
    claims: changes.claims.map((claim) => [
      claim.claimId,
      String(claim.version),
      // A repeat carries the time of the first decision, which may lie further back than its own.
      String(Math.max(1, claim.decidedAt - decidedSince)),
      JSON.stringify(claim),
    ]),
    held: changes.held.map(({ userId, view }) => [
      userId,
      `${view.couponId}/${view.sequence}`,
      String(view.version),
      JSON.stringify(view),
    ]),
  }
}

function viewFields(coupon: CouponSnapshot): string[] {
  const fields: Record<string, string | number | boolean | null> = {
    couponId: coupon.couponId,
    name: coupon.name,
    stock: coupon.stock,
    remaining: coupon.remaining,
    perUserLimit: coupon.perUserLimit,
    startsAt: coupon.startsAt,
    endsAt: coupon.endsAt,
    discount: coupon.discount === null ? null : JSON.stringify(coupon.discount),
    validUntil: coupon.validUntil,
    paused: coupon.paused,
    closed: coupon.closed,
    openedAt: coupon.openedAt,
  }
  return Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [name, String(value)]))
}
