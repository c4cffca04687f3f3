/** The coupon service as a topology: commands in, one result each out, and a status after every change of the gate. */
import { MillraceError } from '#core'
import { TopologyBuilder, keyValueStore, output, setStore, utf8 } from '#topology'
import type { Processor, Stream, StreamRecord, Topology } from '#topology'
import { commandSerde } from './command-serde.ts'
import { couponStateSerde, holdingsSerde, remainingOf, snapshotOf } from './coupon-state.ts'
import type { CouponState, Holdings } from './coupon-state.ts'
import { fingerprintOf } from './fingerprint.ts'
import { IdempotencyMemory, defaultIdempotencyRetentionMs, idempotencyStore } from './idempotency.ts'
import type { CouponCommand, CouponResult, CouponStatus, CouponTopics, FirstOutcome } from './messages.ts'
import { failureOf, resultOf } from './result.ts'
import { resultSerde } from './result-serde.ts'
import { decide } from './rules.ts'
import type { Decision } from './rules.ts'
import { statusSerde } from './status-serde.ts'

export const couponStores = {
  coupons: keyValueStore({ name: 'coupons', key: utf8, value: couponStateSerde }),
  /** Coupon → user → the pieces held now; a user without any is no member. */
  issuedUsers: setStore({ name: 'issued-users', key: utf8, member: utf8, value: holdingsSerde }),
  idempotency: idempotencyStore,
} as const

export interface CouponTopologyOptions {
  readonly topics: CouponTopics
  /** How long Idempotency-Keys are remembered, in milliseconds of log time. Default 24 hours. */
  readonly idempotencyRetentionMs?: number
}

export function couponTopology(options: CouponTopologyOptions): Topology {
  const { topics, idempotencyRetentionMs = defaultIdempotencyRetentionMs } = options
  const builder = new TopologyBuilder()
  const commands: Stream<string, CouponCommand> = builder.source({
    name: 'coupon-commands',
    topics: [topics.issue],
    key: utf8,
    value: commandSerde,
  })
  const decisions = builder.processor({
    name: 'coupon-decision',
    from: commands,
    stores: couponStores,
    outputs: { result: output<string, CouponResult>(), status: output<string, CouponStatus>() },
    init(context): Processor<string, CouponCommand> {
      const { stores, emit } = context
      const topicVersion = topics.version
      const memory = new IdempotencyMemory(stores.idempotency, idempotencyRetentionMs)
      const holdingsOf = (couponId: string, userId: string): Holdings | undefined =>
        stores.issuedUsers.get(couponId, userId)

      return {
        process(record) {
          const command = checkedKey(record)
          const { couponId, idempotencyKey } = command
          const { partition, offset } = record
          const now = context.streamTime()
          const before = stores.coupons.get(couponId)
          memory.sweep(now)
          const remembered =
            idempotencyKey === undefined ? undefined : memory.recall(couponId, idempotencyKey, now)
          const facts = { now, coupon: before, holdingsOf, remembered, partition, offset, topicVersion }
          const decision = decide(command, facts)

          const after = decision.coupon
          if (after !== undefined && after !== before) stores.coupons.put(couponId, after)
          if (decision.holdings !== undefined && 'userId' in command) {
            if (decision.holdings.length === 0) stores.issuedUsers.remove(couponId, command.userId)
            else stores.issuedUsers.add(couponId, command.userId, decision.holdings)
          }
          if (idempotencyKey !== undefined && remembered === undefined && after !== undefined) {
            const first = firstOf(command, decision, offset, now)
            memory.remember(couponId, idempotencyKey, { fingerprint: fingerprintOf(command), first })
          }
          emit.result(couponId, resultOf(command, decision, { partition, offset, now }))
          if (after !== undefined && changesGate(before, after)) {
            emit.status(couponId, { ...snapshotOf(couponId, after), partition, offset })
          }
        },

        /** Touches no store: one of them may be what failed. */
        onPoison(record) {
          const { partition, offset } = record
          const result = failureOf(record.value, { partition, offset, now: context.streamTime() })
          emit.result(record.value.couponId, result)
        },
      }
    },
  })
  builder.sink({
    name: 'coupon-results',
    from: decisions.result,
    topic: topics.result,
    key: utf8,
    value: resultSerde,
    samePartition: true,
  })
  builder.sink({
    name: 'coupon-statuses',
    from: decisions.status,
    topic: topics.status,
    key: utf8,
    value: statusSerde,
    samePartition: true,
  })
  return builder.build()
}

/** A coupon has one total order only if its key is its id. */
function checkedKey(record: StreamRecord<string, CouponCommand>): CouponCommand {
  const { key, value } = record
  if (key === value.couponId) return value
  throw new MillraceError(
    'COUPON_KEY_MISMATCH',
    `The command at offset ${record.offset} is for coupon "${value.couponId}" but its key is another. ` +
      'Its writer must use the coupon id as the key.',
    { domain: 'user', reaction: 'stop' },
  )
}

function firstOf(command: CouponCommand, decision: Decision, offset: number, now: number): FirstOutcome {
  const { outcome, reason, sequence } = decision
  return {
    offset,
    nonce: command.nonce,
    outcome: outcome as FirstOutcome['outcome'],
    ...(reason === undefined ? {} : { reason }),
    ...(sequence === undefined ? {} : { sequence }),
    decidedAt: now,
  }
}

/** Every operator's change, and selling out or being available again. */
function changesGate(before: CouponState | undefined, after: CouponState): boolean {
  return (
    before === undefined ||
    before.stock !== after.stock ||
    before.paused !== after.paused ||
    before.closed !== after.closed ||
    remainingOf(before) <= 0 !== remainingOf(after) <= 0
  )
}
