/** Claims of distinct users on a few coupons, spread evenly: the coupon service's own work. */
import { couponStores, couponTopics, couponTopology, commandSerde, peekResult } from '#domain/coupon'
import type { CouponCommand, CouponTopics } from '#domain/coupon'
import type { Log, TopicSpec } from '#log'
import { taskDirectory } from '#state'
import { encode, typedStore } from '#topology'
import { topicSpecs } from '../../cli/compose/topics.ts'
import { readSettings } from '../../cli/settings.ts'
import { partitions } from '../../test/system/commands.ts'
import { fetchTopic } from '../../test/system/read-topic.ts'
import { theProgram } from './application.ts'
import type { Application } from './application.ts'
import { issueCommand, openCommand } from './commands.ts'
import { withTaskState } from './task-state.ts'
import type { Workload } from './workload.ts'

export interface ClaimsSpec {
  readonly kind: 'claims'
  readonly claims: number
  readonly coupons: number
  /** Of each coupon. */
  readonly stock: number
  /** Default: the program. */
  readonly application?: Application
}

const stores = [couponStores.coupons, couponStores.idempotency, couponStores.issuedUsers].toSorted((a, b) =>
  a.name < b.name ? -1 : 1,
)

/** How many of the claims must be issued: first come, first served, one each. */
export function issuedOf(spec: ClaimsSpec): number {
  let issued = 0
  for (let coupon = 0; coupon < spec.coupons; coupon++) issued += Math.min(spec.stock, claimsOf(spec, coupon))
  return issued
}

/** How many of the claims are of the coupon with this number. */
export function claimsOf({ claims: count, coupons }: ClaimsSpec, coupon: number): number {
  return Math.floor(count / coupons) + (coupon < count % coupons ? 1 : 0)
}

export function claims(spec: ClaimsSpec): Workload {
  const topics = claimTopics(spec)
  return {
    appId: (spec.application ?? theProgram).appId,
    topology: couponTopology({ topics }),
    topics: specsOf(topics),
    inputTopic: topics.issue,
    records: spec.coupons + spec.claims,
    *input() {
      for (const command of commands(spec)) {
        yield { topic: topics.issue, key: command.couponId, value: encode(commandSerde, command) }
      }
    },
    checkOutputs: (log) => checkResults(log, topics.result, spec),
    checkState: (stateDirectory) => checkHolders(stateDirectory, spec),
  }
}

export function claimTopics({ application }: ClaimsSpec): CouponTopics {
  if (application === undefined) return couponTopics()
  const { issue } = couponTopics({ prefix: application.inputPrefix })
  return { ...couponTopics({ prefix: `${application.appId}-` }), issue }
}

/** As the program has them, so that it can go on with this log. */
function specsOf(topics: CouponTopics): TopicSpec[] {
  const usual = couponTopics()
  const names = new Map([
    [usual.issue, topics.issue],
    [usual.result, topics.result],
    [usual.status, topics.status],
  ])
  return topicSpecs(readSettings({})).map(({ name, partitions: count, settings }) => ({
    name: names.get(name) ?? name,
    partitions: count,
    settings,
  }))
}

function* commands({ claims: count, coupons, stock }: ClaimsSpec): Generator<CouponCommand> {
  for (let coupon = 0; coupon < coupons; coupon++) {
    yield openCommand(couponIdOf(coupon), stock)
  }
  for (let index = 0; index < count; index++) {
    yield issueCommand(couponIdOf(index % coupons), index)
  }
}

export function couponIdOf(index: number): string {
  return `coupon-${index}`
}

async function checkResults(log: Log, topic: string, spec: ClaimsSpec): Promise<void> {
  const expected = {
    done: spec.coupons,
    issued: issuedOf(spec),
    rejected: spec.claims - issuedOf(spec),
    other: 0,
  }
  const seen = { done: 0, issued: 0, rejected: 0, other: 0 }
  const peek = peekResult(Buffer.from('{}'), 0, 2)
  for await (const fetched of fetchTopic(log, topic)) {
    for (const cursor = fetched.cursor(); cursor.next();) {
      const { outcome } = peekResult(cursor.buffer, cursor.valueStart, cursor.valueEnd, peek)
      seen[outcome === 'done' || outcome === 'issued' || outcome === 'rejected' ? outcome : 'other']++
    }
  }
  if (JSON.stringify(seen) === JSON.stringify(expected)) return
  throw new Error(`the results are ${JSON.stringify(seen)}, not ${JSON.stringify(expected)}`)
}

async function checkHolders(stateDirectory: string, spec: ClaimsSpec): Promise<void> {
  const { appId } = spec.application ?? theProgram
  let holders = 0
  for (let partition = 0; partition < partitions; partition++) {
    const directory = taskDirectory(stateDirectory, appId, `0_${partition}`)
    holders += await withTaskState(directory, stores, (state) => {
      const users = typedStore(couponStores.issuedUsers, state.store(couponStores.issuedUsers))
      return [...users.keys()].reduce((sum, couponId) => sum + users.size(couponId), 0)
    })
  }
  if (holders !== issuedOf(spec)) throw new Error(`the state has ${holders} holders, not ${issuedOf(spec)}`)
}
