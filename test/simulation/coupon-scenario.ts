/** The coupon service: every answer is checked by the rules, by a second replay, and against what was acknowledged. */
import type { SeededRandom } from '#core'
import {
  checkHistory,
  checkOneResult,
  commandSerde,
  couponTopics,
  couponTopology,
  resultSerde,
  statusSerde,
} from '#domain/coupon'
import type { CouponCommand } from '#domain/coupon'
import { RecordBatchBuilder } from '#log'
import type { TopicSpec } from '#log'
import { checkOutputsOnce, deadLetterTopic } from '#processor'
import type { OutputRecord } from '#processor'
import { TopologyTestDriver, bytes, decode, nullable } from '#topology'
import type { Topology } from '#topology'
import { CouponLoad } from './coupon-load.ts'
import { recordsOf } from './scenario.ts'
import type { Ask, Note, Place, ReadRecord, Scenario } from './scenario.ts'
import type { Plan } from './swarm.ts'
import type { World } from './world.ts'

const topics = couponTopics()
/** Takes every result but that of a coupon with a long name. */
const resultBytesMax = 700

interface InputRecord extends ReadRecord {
  readonly command: CouponCommand | undefined
}

interface Acknowledged extends Place {
  readonly nonce: string
}

export class CouponScenario implements Scenario {
  readonly topology: Topology
  readonly topics: readonly TopicSpec[]
  readonly input = topics.issue
  readonly #load: CouponLoad
  readonly #acknowledged: Acknowledged[] = []

  constructor(random: SeededRandom, plan: Plan, startMs: number) {
    const { partitions, idempotencyRetentionMs } = plan
    this.topology = couponTopology({ topics, idempotencyRetentionMs })
    this.topics = [
      { name: topics.issue, partitions, settings: { cleanup: 'delete', timestamps: 'log-append' } },
      { name: topics.result, partitions, settings: { cleanup: 'delete', maxMessageBytes: resultBytesMax } },
      { name: topics.status, partitions, settings: { cleanup: 'compact' } },
    ]
    this.#load = new CouponLoad(random, startMs)
  }

  next(): Ask {
    return this.#load.next()
  }

  acknowledged(value: string | null, place: Place): void {
    const command = value?.startsWith('{"') === true ? (JSON.parse(value) as Record<string, string>) : {}
    const { nonce, couponId, userId } = command
    if (nonce === undefined) return
    this.#acknowledged.push({ ...place, nonce })
    if (couponId !== undefined && userId !== undefined && command['command'] === 'issue') {
      this.#load.claims.push({ couponId, userId, nonce, ...place })
    }
  }

  check(world: World, note: Note): void {
    for (let partition = 0; partition < world.plan.partitions; partition++) {
      this.#checkPartition(world, partition, note)
    }
  }

  #checkPartition(world: World, partition: number, note: Note): void {
    const input: InputRecord[] = []
    for (const record of recordsOf(world, topics.issue, partition)) {
      input.push({ ...record, command: commandOf(record.value) })
    }
    const resultRecords = recordsOf(world, topics.result, partition)
    const statusRecords = recordsOf(world, topics.status, partition)
    const results = resultRecords.map(({ value }) => decode(resultSerde, value as Buffer))
    const statuses = statusRecords.map(({ value }) => decode(statusSerde, value as Buffer))
    for (const { outcome, reason } of results) world.coverage.add(`decision: ${reason ?? outcome}`)
    const history = { partition, commands: input, results, statuses }
    note(checkHistory(history, { idempotencyRetentionMs: world.plan.idempotencyRetentionMs }))
    const acknowledged = this.#acknowledged.filter((each) => each.partition === partition)
    note(checkOneResult(history, { acknowledged }))

    const expected = outputsOf(world, input, partition, resultRecords)
    note(checkOutputsOnce(`${topics.result}-${partition}`, expected.results, resultRecords))
    note(checkOutputsOnce(`${topics.status}-${partition}`, expected.statuses, statusRecords))
    const dead = deadLetterTopic(topics.issue)
    note(checkOutputsOnce(`${dead}-${partition}`, expected.dead, recordsOf(world, dead, partition)))
  }
}

function commandOf(value: Buffer | null): CouponCommand | undefined {
  if (value === null) return undefined
  try {
    return decode(commandSerde, value)
  } catch {
    return undefined
  }
}

interface Outputs {
  readonly results: readonly OutputRecord[]
  readonly statuses: readonly OutputRecord[]
  readonly dead: readonly OutputRecord[]
}

/**
 * What the input of a partition gives, by the test driver. It knows no limits of topics: a record whose result its
 * topic does not take is fed as one that cannot be read, and answered as the processor does.
 */
function outputsOf(
  world: World,
  input: readonly InputRecord[],
  partition: number,
  answers: readonly OutputRecord[],
): Outputs {
  const refused = new Map<number, OutputRecord>()
  for (const answer of answers) {
    const { reason, offset } = decode(resultSerde, answer.value as Buffer)
    if (reason === 'internal-error') refused.set(offset, answer)
  }
  let replay = new Replay(world, partition)
  const fed: InputRecord[] = []
  const results: OutputRecord[] = []
  const dead: OutputRecord[] = []
  for (const record of input) {
    const answer = refused.get(record.offset)
    const given = replay.feed(record)
    const tooLarge = given.results.some((result) => sizeOf(result) > resultBytesMax)
    if (given.dead || (tooLarge && answer !== undefined)) dead.push(record)
    if (tooLarge && answer !== undefined) {
      results.push(answer)
      fed.push({ ...record, value: null })
      // The driver cannot take a record back: begin again without it.
      replay = new Replay(world, partition)
      for (const before of fed) replay.feed(before)
      continue
    }
    results.push(...given.results)
    fed.push(record)
  }
  return { results, statuses: replay.statuses, dead }
}

const any = nullable(bytes)

/** The topology over one partition of input. */
class Replay {
  readonly #driver: TopologyTestDriver
  readonly #partition: number
  readonly #input: ReturnType<typeof inputTopicOf>
  readonly #results: ReturnType<typeof outputTopicOf>
  readonly #statuses: ReturnType<typeof outputTopicOf>
  readonly statuses: OutputRecord[] = []

  constructor(world: World, partition: number) {
    this.#partition = partition
    this.#driver = new TopologyTestDriver(world.scenario.topology, { partitions: world.plan.partitions })
    this.#input = inputTopicOf(this.#driver)
    this.#results = outputTopicOf(this.#driver, topics.result)
    this.#statuses = outputTopicOf(this.#driver, topics.status)
  }

  feed({ key, value, timestamp }: InputRecord): {
    readonly results: readonly OutputRecord[]
    readonly dead: boolean
  } {
    const letters = this.#driver.deadLetters().length
    this.#input.pipe(key, value, { timestamp, partition: this.#partition })
    this.statuses.push(...this.#statuses.readAll())
    return { results: this.#results.readAll(), dead: this.#driver.deadLetters().length > letters }
  }
}

function inputTopicOf(driver: TopologyTestDriver) {
  return driver.inputTopic(topics.issue, any, any)
}

function outputTopicOf(driver: TopologyTestDriver, topic: string) {
  return driver.outputTopic(topic, any, any)
}

/** Bytes of a batch that holds nothing else. */
function sizeOf({ key, value }: OutputRecord): number {
  const builder = new RecordBatchBuilder()
  builder.append(key, value, 0)
  return builder.byteLength
}
