/**
 * Everything that must hold when the program is at rest (design §7, invariants 1 to 7), read from the log, the state
 * directories, Postgres and Redis; never from counters.
 */
import { Redis } from 'ioredis'
import { Client } from 'pg'
import {
  checkHistory,
  checkOneResult,
  checkRows,
  checkSameBytes,
  couponStores,
  couponTopology,
  foldResults,
  parseClaimId,
} from '#domain/coupon'
import type { KeyAndValue, PartitionHistory, ResultsView, Violation } from '#domain/coupon'
import type { Log } from '#log'
import { TaskState, changelogTopic, rocksStorage, taskDirectory } from '#state'
import { TopologyTestDriver, bytes, nullable, typedStore } from '#topology'
import { stores } from './checkpoints.ts'
import { readHistories } from './coupon-history.ts'
import { readTopic } from './read-topic.ts'
import type { TopicRecord } from './read-topic.ts'
import type { System } from './system.ts'

export interface Acknowledged {
  readonly claimId: string
}

export interface Verdict {
  readonly violations: readonly Violation[]
  readonly histories: readonly PartitionHistory[]
}

/**
 * Checks the stopped program's log and state, and the stores that it filled.
 * @param stateDir of the processor that had every task in the end
 */
export async function verify(
  system: System,
  acknowledged: readonly Acknowledged[] = [],
  stateDir = system.stateDir,
): Promise<Verdict> {
  return system.withLog(async (log) => {
    const histories = await readHistories(log, system.topics)
    const view = foldResults(histories.flatMap(({ results }) => results))
    const violations = [
      ...histories.flatMap((history) => checkHistory(history)),
      ...histories.flatMap((history) => checkAcknowledged(history, acknowledged)),
      ...(await checkReplayAndState({ system, stateDir, log })),
      ...(await checkPostgres(system.databaseUrl, view)),
      ...(await checkRedis(system.redisUrl, view)),
    ]
    return { violations, histories }
  })
}

/** Invariant 4: what was told as appended is in the log, and has its result. */
function checkAcknowledged(history: PartitionHistory, acknowledged: readonly Acknowledged[]): Violation[] {
  const places = acknowledged.flatMap(({ claimId }) => parseClaimId(claimId) ?? [])
  const own = places.filter(({ partition }) => partition === history.partition)
  return checkOneResult(history, { acknowledged: own })
}

/** Invariants 5 and 6: results are the replay of the commands, and RocksDB = fold(changelog) = fold(commands). */
async function checkReplayAndState(at: Place): Promise<Violation[]> {
  const { system, log } = at
  const { topics } = system
  const commands = await readTopic(log, topics.issue)
  const results = await readTopic(log, topics.result)
  const driver = new TopologyTestDriver(couponTopology({ topics }), { partitions: commands.length })
  const raw = nullable(bytes)
  const input = driver.inputTopic(topics.issue, raw, raw)
  for (const [partition, records] of commands.entries()) {
    for (const { key, value, timestamp } of records) input.pipe(key, value, { timestamp, partition })
  }
  const replayed = driver.outputTopic(topics.result, bytes, bytes).readAll()
  const violations: Violation[] = []
  for (const [partition, records] of results.entries()) {
    const again = replayed.filter((record) => record.partition === partition)
    violations.push(...checkSameBytes(records.map(keyAndValue), again))
    violations.push(...(await checkState(at, driver, partition)))
  }
  return violations
}

interface Place {
  readonly system: System
  readonly stateDir: string
  readonly log: Log
}

async function checkState(
  { system, stateDir, log }: Place,
  driver: TopologyTestDriver,
  partition: number,
): Promise<Violation[]> {
  const { appId } = system
  const directory = taskDirectory(stateDir, appId, `0_${partition}`)
  const state = await TaskState.open({ directory, stores, storage: rocksStorage() })
  try {
    const violations: Violation[] = []
    const report = (message: string): void => void violations.push({ invariant: 6, message, partition })
    for (const { name } of stores) {
      const changelog = (await readTopic(log, changelogTopic(appId, name)))[partition] ?? []
      const expected = foldOf(changelog)
      const actual = [...state.dump(name)].map(
        ([key, value]) => `${key.toString('hex')}=${value.toString('hex')}`,
      )
      if (expected.join() !== actual.join()) report(`the state of ${name} is not the fold of its changelog`)
    }
    const { coupons, issuedUsers } = couponStores
    const kept = typedStore(coupons, state.store(coupons))
    const holders = typedStore(issuedUsers, state.store(issuedUsers))
    const replayedCoupons = driver.store(coupons, partition)
    if (!same([...kept.range()], [...replayedCoupons.range()]))
      report('coupons are not the fold of the commands')
    const replayedHolders = driver.store(issuedUsers, partition)
    for (const key of new Set([...holders.keys(), ...replayedHolders.keys()])) {
      const members = [...holders.members(key)].toSorted(byMember)
      const again = [...replayedHolders.members(key)].toSorted(byMember)
      if (!same(members, again)) report(`the holders of ${key} are not the fold of the commands`)
    }
    return violations
  } finally {
    await state.close()
  }
}

/** The last value of each key, in key order, tombstones left out. */
function foldOf(changelog: readonly TopicRecord[]): string[] {
  const latest = new Map<string, string>()
  for (const { key, value } of changelog) {
    const name = key?.toString('hex') ?? ''
    if (value === null) latest.delete(name)
    else latest.set(name, value.toString('hex'))
  }
  return [...latest].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`)
}

/** Invariant 7 for Postgres. Times come back as milliseconds. */
async function checkPostgres(url: string, view: ResultsView): Promise<Violation[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const coupons = await client.query<{ key: string; row: object }>(
      `select coupon_id as key, json_build_object('couponId', coupon_id, 'stock', stock, 'remaining', remaining,
         'perUserLimit', per_user_limit, 'paused', paused, 'closed', closed, 'version', version,
         'openedAt', ${ms('opened_at')}) as row from coupon`,
    )
    const issued = await client.query<{ key: string; row: object }>(
      `select claim_id as key, json_build_object('claimId', claim_id, 'couponId', coupon_id, 'userId', user_id,
         'sequence', sequence, 'slot', slot, 'decidedAt', ${ms('issued_at')},
         'status', case when cancelled_at is null then 'issued' else 'cancelled' end) as row from coupon_issue`,
    )
    const rejected = await client.query<{ key: string; row: object }>(
      `select claim_id as key, json_build_object('claimId', claim_id, 'couponId', coupon_id, 'userId', user_id,
         'reason', reason, 'status', 'rejected', 'decidedAt', ${ms('rejected_at')}) as row from claim_rejected`,
    )
    return [
      ...checkRows({ store: 'postgres', what: 'coupon' }, view.coupons, rows(coupons)),
      ...checkRows({ store: 'postgres', what: 'claim' }, claimsThat(view, isGranted), rows(issued)),
      ...checkRows({ store: 'postgres', what: 'rejection' }, claimsThat(view, isRefused), rows(rejected)),
    ]
  } finally {
    await client.end()
  }
}

/** Invariant 7 for Redis. */
async function checkRedis(url: string, view: ResultsView): Promise<Violation[]> {
  const redis = new Redis(url)
  try {
    const violations: Violation[] = []
    const report = (message: string): void => void violations.push({ invariant: 7, message })
    for (const coupon of view.coupons.values()) {
      const available = !coupon.closed && !coupon.paused && coupon.remaining > 0
      const flag = await redis.get(`coupon:available:${coupon.couponId}`)
      if (flag !== String(available))
        report(`coupon:available:${coupon.couponId} is ${flag}, not ${available}`)
      const listed = await redis.sismember('coupons:available', coupon.couponId)
      if ((listed === 1) !== available) report(`coupons:available and ${coupon.couponId} do not agree`)
      const kept = await redis.hget(`coupon:view:${coupon.couponId}`, 'remaining')
      if (kept !== String(coupon.remaining)) report(`coupon:view:${coupon.couponId} has ${kept} remaining`)
    }
    const keys = [...view.claims.keys()].map((claimId) => `claim:${claimId}`)
    const values = keys.length === 0 ? [] : await redis.mget(keys)
    const claims = new Map<string, object>()
    for (const value of values) {
      if (value === null) continue
      const { claimId, couponId, userId, status, sequence } = JSON.parse(value) as Record<string, string>
      claims.set(claimId ?? '', { claimId, couponId, userId, status, sequence })
    }
    return [...violations, ...checkRows({ store: 'redis', what: 'claim' }, view.claims, claims)]
  } finally {
    redis.disconnect()
  }
}

type Claim = ResultsView['claims'] extends ReadonlyMap<string, infer C> ? C : never

const isGranted = ({ status }: Claim): boolean => status !== 'rejected'
const isRefused = ({ status }: Claim): boolean => status === 'rejected'

function claimsThat(view: ResultsView, holds: (claim: Claim) => boolean): Map<string, Claim> {
  return new Map([...view.claims].filter(([, claim]) => holds(claim)))
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`

const rows = (result: { rows: { key: string; row: object }[] }): Map<string, object> =>
  new Map(result.rows.map(({ key, row }) => [key, row]))

function byMember([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}

function keyAndValue({ key, value }: TopicRecord): KeyAndValue {
  return { key: key ?? Buffer.alloc(0), value: value ?? Buffer.alloc(0) }
}
