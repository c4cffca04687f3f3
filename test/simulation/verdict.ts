/** Everything that must hold after a run, asked of the log and the disks themselves. */
import { RecordBatchBuilder, RecordCursor } from '#log'
import { checkHistory, checkOneResult, commandSerde, resultSerde, statusSerde } from '#domain/coupon'
import type { CommandRecord, CouponCommand } from '#domain/coupon'
import {
  checkCheckpointsGrow,
  checkOffsetsGrow,
  checkOutputsOnce,
  checkPositionIsOffset,
  checkStateIsFold,
  deadLetterTopic,
  foldChangelog,
} from '#processor'
import type { FoldedChangelog, OutputRecord } from '#processor'
import { TaskState, changelogKind, changelogTopic, readPosition, taskDirectory } from '#state'
import { TopologyTestDriver, bytes as bytesSerde, decode, nullable } from '#topology'
import { appId, resultBytesMax, topics } from './world.ts'
import type { World } from './world.ts'

interface InputRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly command: CouponCommand | undefined
}

export async function verdictOf(world: World): Promise<string[]> {
  const found: string[] = [...world.surprises]
  const note = (violations: readonly { readonly message: string }[]): void => {
    for (const violation of violations) {
      const { message, ...rest } = violation
      found.push(`${Object.values(rest).join(' ')}: ${message}`)
    }
  }
  for (let partition = 0; partition < world.plan.partitions; partition++) {
    checkPartition(world, partition, note)
  }
  note(checkOffsetsGrow(world.broker.offsets.history))
  for (const { disk } of world.machines) note(checkCheckpointsGrow(disk.checkpoints))
  for (const machine of world.machines) await checkDisk(world, machine, note)
  return found
}

/**
 * True once every record of the input is decided and nothing stands in the way of readers: the group's offsets tell,
 * or the positions in the changelogs where those have expired.
 */
export function isDrained(world: World): boolean {
  for (const topic of world.broker.topics.names()) {
    const logs = world.broker.topics.partitionsOf(topic)
    if (logs.some(({ lastStableOffset, highWatermark }) => lastStableOffset < highWatermark)) return false
  }
  const partitions = world.broker.topics.partitionsOf(topics.issue)
  const places = partitions.map(({ partition }) => ({ topic: topics.issue, partition }))
  const committed = world.broker.offsets.committed(appId, places)
  return partitions.every(({ partition, highWatermark }, index) => {
    const offset = committed[index]?.offset ?? positionOf(positionChangelog(world, partition))
    return (offset ?? 0) === highWatermark
  })
}

/** The changelog that carries a task's position, folded. */
function positionChangelog(world: World, partition: number): FoldedChangelog {
  const topic = changelogTopic(appId, storesOf(world)[0]?.name ?? '')
  return foldChangelog(world.broker.topics.partitionsOf(topic)[partition]?.committedBatches() ?? [])
}

function positionOf(changelog: FoldedChangelog): number | undefined {
  const bytes = changelog.get(positionKey)
  return bytes === undefined ? undefined : readPosition(bytes).inputs[0]?.offset
}

const positionKey = String.fromCodePoint(changelogKind.position)

type Note = (violations: readonly { readonly message: string }[]) => void

function checkPartition(world: World, partition: number, note: Note): void {
  const input = inputOf(world, partition)
  const written = (topic: string): OutputRecord[] =>
    recordsOf(world.broker.topics.partitionsOf(topic)[partition])
  const resultRecords = written(topics.result)
  const statusRecords = written(topics.status)
  const results = resultRecords.map(({ value }) => decode(resultSerde, value as Buffer))
  const statuses = statusRecords.map(({ value }) => decode(statusSerde, value as Buffer))
  for (const { outcome, reason } of results) world.coverage.add(`decision: ${reason ?? outcome}`)
  const commands: CommandRecord[] = input
  const history = { partition, commands, results, statuses }
  const options = { idempotencyRetentionMs: world.plan.idempotencyRetentionMs }
  note(checkHistory(history, options))
  const acknowledged = world.acknowledged.filter((each) => each.partition === partition)
  note(checkOneResult(history, { acknowledged }))

  const expected = outputsOf(world, input, partition, resultRecords)
  note(checkOutputsOnce(`${topics.result}-${partition}`, expected.results, resultRecords))
  note(checkOutputsOnce(`${topics.status}-${partition}`, expected.statuses, statusRecords))
  const dead = deadLetterTopic(topics.issue)
  note(checkOutputsOnce(`${dead}-${partition}`, expected.dead, written(dead)))

  const committed = world.broker.offsets.committed(appId, [{ topic: topics.issue, partition }])
  // Offsets of a group that was away for long expire; the position in the changelog stands in for them.
  if (world.offsetsExpired && committed[0]?.offset === undefined) return
  note(checkPositionIsOffset(`0_${partition}`, positionChangelog(world, partition), committed))
}

function storesOf(world: World) {
  return world.topology.subtopologies[0]?.stores ?? []
}

function inputOf(world: World, partition: number): InputRecord[] {
  const records: InputRecord[] = []
  const batches = world.broker.topics.partitionsOf(topics.issue)[partition]?.committedBatches() ?? []
  for (const cursor = new RecordCursor(batches); cursor.next();) {
    const { offset, timestamp } = cursor
    const value = cursor.value()
    records.push({ offset, timestamp, key: cursor.key(), value, command: commandOf(value) })
  }
  return records
}

function commandOf(value: Buffer | null): CouponCommand | undefined {
  if (value === null) return undefined
  try {
    return decode(commandSerde, value)
  } catch {
    return undefined
  }
}

function recordsOf(partition: { committedBatches(): Buffer[] } | undefined): OutputRecord[] {
  const records: OutputRecord[] = []
  for (const cursor = new RecordCursor(partition?.committedBatches() ?? []); cursor.next();) {
    records.push({ key: cursor.key(), value: cursor.value() })
  }
  return records
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

const any = nullable(bytesSerde)

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
    this.#driver = new TopologyTestDriver(world.topology, { partitions: world.plan.partitions })
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

async function checkDisk(world: World, machine: World['machines'][number], note: Note): Promise<void> {
  const stores = storesOf(world)
  const directories = new Set(machine.disk.directories)
  for (let partition = 0; partition < world.plan.partitions; partition++) {
    const directory = taskDirectory('/state', appId, `0_${partition}`)
    if (!directories.has(directory)) continue
    const state = await TaskState.open({ storage: machine.disk.inspect(), directory, stores })
    for (const { name } of stores) {
      const changelog = world.broker.topics.partitionsOf(changelogTopic(appId, name))[partition]
      const checkpoint = state.checkpoint(name)
      if (changelog === undefined || checkpoint === undefined) continue
      const where = `${machine.name}${directory}`
      if (checkpoint.offset > changelog.highWatermark) {
        const message = `the checkpoint of ${name} is ${checkpoint.offset}, its changelog ends at ${changelog.highWatermark}`
        note([{ message: `${where}: ${message}` }])
      }
      // Below it a store that is being restored may lack what was compacted away.
      if (checkpoint.offset < changelog.compactedTo) continue
      world.coverage.add('stores compared with their changelog')
      const folded = foldChangelog(changelog.committedBatches(), checkpoint.offset)
      note(checkStateIsFold(`${where} ${name}`, folded, state.dump(name)))
    }
    await state.close()
  }
}
