import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { Logger } from '#core'
import { RecordCursor } from '#log'
import type { Log } from '#log'
import { TaskState, rocksStorage } from '#state'
import { TopologyBuilder, keyValueStore, output, setStore, utf8 } from '#topology'
import type { Topology } from '#topology'
import { decodeMemberData } from '../assignment/member-data.ts'
import { checkStateIsFold, foldChangelog } from '../checkers/index.ts'
import { claimStateDirectory } from '../process-id.ts'
import type { Streams, StreamsOptions } from '../streams.ts'
import { EngineHarness } from '../testing/engine-harness.ts'
import { restoredRecords } from '../testing/restored-records.ts'
import { withTransactors } from '../testing/with-transactors.ts'

const partitions = 2
const stores = ['counts', 'seen']

/** Counts each key, and keeps the values seen under it as a set. */
function counting(persistent = true): Topology {
  const builder = new TopologyBuilder()
  const counts = keyValueStore({ name: 'counts', key: utf8, value: utf8, persistent })
  const seen = setStore({ name: 'seen', key: utf8, member: utf8, value: utf8, persistent })
  const { told } = builder.processor({
    name: 'count',
    from: builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 }),
    stores: { counts, seen },
    outputs: { told: output<string, string>() },
    init: ({ stores: { counts: kept, seen: known }, emit }) => ({
      process({ key, value }) {
        const count = Number(kept.get(key) ?? 0) + 1
        kept.put(key, String(count))
        known.add(key, value, '-')
        emit.told(key, `${count}/${known.size(key)}`)
      },
    }),
  })
  builder.sink({ name: 'sink', from: told, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

async function open(): Promise<EngineHarness> {
  const harness = await EngineHarness.open([
    { name: 'in', partitions, settings: { cleanup: 'delete', timestamps: 'log-append' } },
    { name: 'out', partitions, settings: { cleanup: 'delete' } },
  ])
  onTestFinished(() => harness.close())
  return harness
}

function start(
  harness: EngineHarness,
  name: string,
  options: Partial<StreamsOptions> = {},
): Promise<Streams> {
  return harness.start(counting(), { stateDir: join(harness.root, name), ...options })
}

let appended = 0

/** `rounds` records into each partition, of keys that come again and again. */
async function feed(log: Log, rounds: number): Promise<void> {
  const appender = log.appender()
  const sent: Promise<unknown>[] = []
  for (let round = 0; round < rounds; round++) {
    for (let partition = 0; partition < partitions; partition++) {
      const key = `key-${partition}-${round % 50}`
      sent.push(appender.append({ topic: 'in', partition, key, value: `value-${appended++}` }))
    }
  }
  await Promise.all(sent)
  await appender.close()
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.sleep(5)
}

function tasks(streams: Streams): string[] {
  return streams
    .state()
    .tasks.map(({ taskId, role, status }) => `${taskId} ${role} ${status}`)
    .toSorted()
}

const lag = (streams: Streams): number => streams.state().tasks.reduce((sum, task) => sum + task.lag, 0)

const decided = async (harness: EngineHarness, count: number): Promise<void> =>
  void (await harness.readAtLeast('out', count))

/** What there is of a task in a state directory that nobody uses is the fold of its changelogs, to their end. */
async function expectFolded(harness: EngineHarness, stateDir: string, partition: number): Promise<void> {
  const directory = join(stateDir, 'app', `0_${partition}`)
  const { stores: specs } = counting().subtopologies[0] ?? { stores: [] }
  const state = await TaskState.open({ storage: rocksStorage(), directory, stores: specs })
  for (const store of stores) {
    const { batches, end } = await changelog(harness, store, partition)
    const folded = foldChangelog(batches)
    expect(folded.size).toBeGreaterThan(0)
    expect(checkStateIsFold(store, folded, state.dump(store))).toEqual([])
    expect(state.checkpoint(store)?.offset).toBe(end)
  }
  await state.close()
}

/** Committed batches, and the offset after the last record. */
async function changelog(
  { log }: EngineHarness,
  store: string,
  partition: number,
): Promise<{ readonly batches: Buffer[]; readonly end: number }> {
  const place = { topic: `app-${store}-changelog`, partition }
  const [edge] = await log.admin.offsets([place])
  const reader = log.reader()
  reader.seek(place, edge?.start ?? 0)
  const batches: Buffer[] = []
  while ((reader.position(place) ?? 0) < (edge?.highWatermark ?? 0)) {
    for (const fetched of await reader.poll(1000)) batches.push(...fetched.batches)
  }
  await reader.close()
  let end = 0
  for (const cursor = new RecordCursor(batches); cursor.next();) end = cursor.offset + 1
  return { batches, end }
}

/** Told counts of each key go up one by one: nothing is lost or repeated, whoever did it. */
async function expectCounted(harness: EngineHarness): Promise<void> {
  const counts = new Map<string | null, number>()
  for (const { key, value } of await harness.read('out')) {
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    expect(value).toBe(`${count}/${count}`)
  }
}

describe('standbys', () => {
  test('follow the tasks of another process, and their state is the fold of the changelogs', async () => {
    const harness = await open()
    const first = await start(harness, 'first', { standbys: 1 })
    await feed(harness.log, 200)
    const second = await start(harness, 'second', { standbys: 1 })
    await until(() => tasks(first).length === 2 && tasks(second).length === 2)
    await until(() => tasks(first).join() === '0_0 active running,0_1 standby following')
    await until(() => tasks(second).join() === '0_0 standby following,0_1 active running')
    await feed(harness.log, 200)
    await decided(harness, 800)
    await until(() => lag(first) === 0 && lag(second) === 0)
    await first.stop()
    await second.stop()
    for (const name of ['first', 'second']) {
      await expectFolded(harness, join(harness.root, name), name === 'first' ? 1 : 0)
    }
    await expectCounted(harness)
  })

  test.each([
    ['on disk', true],
    ['in memory', false],
  ])('%s go on at once when the owner leaves, and read the tail only', async (_, persistent) => {
    const harness = await open()
    const topology = counting(persistent)
    const first = await start(harness, 'first', { standbys: 1, topology })
    await feed(harness.log, 500)
    await decided(harness, 1000)
    const { metrics, of } = restoredRecords()
    const second = await start(harness, 'second', { standbys: 1, metrics, topology })
    await until(() => tasks(second).join() === '0_0 standby following,0_1 active running')
    await until(() => lag(second) === 0)
    const followed = of('standby')
    const moved = of('active')
    expect(followed).toBeGreaterThan(0)
    await first.stop()
    await until(() => tasks(second).join() === '0_0 active running,0_1 active running')
    await feed(harness.log, 10)
    await decided(harness, 1020)
    expect(of('active')).toBe(moved)
    await expectCounted(harness)
  })

  test('tell the group how far behind they found themselves', async () => {
    const harness = await open()
    const { log } = harness
    let say = (): Uint8Array => new Uint8Array()
    const noting: Log = {
      ...withTransactors(log, (id, options) => log.transactor(id, options)),
      join: (options) => {
        say = options.userData ?? say
        return log.join(options)
      },
    }
    await start(harness, 'first', { standbys: 1 })
    await start(harness, 'second', { standbys: 1, log: noting })
    await until(async () => {
      await feed(harness.log, 1)
      const followed = decodeMemberData(say())?.tasks.filter(({ role }) => role === 'following') ?? []
      return followed.some(({ lag: measured }) => measured !== undefined)
    })
  })

  test('a task that moves away is followed where it was, without reading it again', async () => {
    const harness = await open()
    const { metrics, of } = restoredRecords()
    // In memory, so that nothing but the open state can have it.
    const topology = counting(false)
    const first = await start(harness, 'first', { standbys: 1, metrics, topology })
    await feed(harness.log, 300)
    await decided(harness, 600)
    await start(harness, 'second', { standbys: 1, topology })
    await until(() => tasks(first).join() === '0_0 active running,0_1 standby following')
    await until(() => lag(first) === 0)
    // Whatever came in between, but not what it had.
    expect(of('standby')).toBe(0)
    expect(of('active')).toBe(0)
  })
})

describe('warming up', () => {
  const warmUp = { acceptableLag: 20, tasksMax: 1 }

  test('a task whose state is large moves when the other process has it', async () => {
    const harness = await open()
    const first = await start(harness, 'first', { warmUp })
    await feed(harness.log, 500)
    await decided(harness, 1000)
    const { metrics, of } = restoredRecords()
    const second = await start(harness, 'second', { warmUp, metrics })
    await until(() => tasks(second).join() === '0_1 active running')
    expect(tasks(first)).toEqual(['0_0 active running'])
    expect(of('warm-up')).toBeGreaterThan(20)
    expect(of('active')).toBeLessThanOrEqual(20)
    await feed(harness.log, 10)
    await decided(harness, 1020)
    await expectCounted(harness)
  })

  test('a process that comes back gets the tasks whose state it has', async () => {
    const harness = await open()
    const first = await start(harness, 'first', { warmUp })
    await feed(harness.log, 500)
    await decided(harness, 1000)
    const before = await start(harness, 'second', { warmUp })
    await until(() => tasks(before).join() === '0_1 active running')
    await before.stop()
    await until(() => tasks(first).join() === '0_0 active running,0_1 active running')
    const { metrics, of } = restoredRecords()
    const lines: string[] = []
    const info = (_: object, message: string): void => void lines.push(message)
    const logger: Logger = { ...silentLogger, info, child: () => logger }
    const again = await start(harness, 'second', { warmUp, metrics, logger })
    await until(() => tasks(again).join() === '0_1 active running')
    expect(of('active')).toBeLessThanOrEqual(20)
    // Not warmed up first: the group has heard of what it has.
    expect(lines).not.toContain('following the changelogs of a task')
  })
})

describe('what lies on disk', () => {
  test('is deleted when its task has been elsewhere for long, and not before', async () => {
    const harness = await open()
    const options = { stateCleanupDelayMs: 100 }
    const first = await start(harness, 'first', options)
    await feed(harness.log, 20)
    await decided(harness, 40)
    await start(harness, 'second', options)
    await until(() => tasks(first).length === 1)
    const directories = async (): Promise<string[]> => readdir(join(harness.root, 'first', 'app'))
    await until(async () => !(await directories()).includes('0_1'))
    expect(await directories()).toContain('0_0')
    expect(tasks(first)).toEqual(['0_0 active running'])
  })
})

test('threads of one process hand a task to each other, and one of them keeps no copy for another', async () => {
  const harness = await open()
  const stateDir = join(harness.root, 'process')
  const identity = await claimStateDirectory(rocksStorage(), stateDir, 'app')
  onTestFinished(() => identity.release())
  const { processId, positions } = identity
  const thread = (number: number): Promise<Streams> =>
    start(harness, 'process', { standbys: 1, place: { number, processId, positions } })
  const zero = await thread(0)
  await feed(harness.log, 200)
  await decided(harness, 400)
  const one = await thread(1)
  await until(() => tasks(one).join() === '0_1 active running')
  await until(() => tasks(zero).join() === '0_0 active running')
  const other = await start(harness, 'other', { standbys: 1 })
  await until(() => tasks(other).length === 2)
  await feed(harness.log, 50)
  await decided(harness, 500)
  await one.stop()
  await until(
    () => [...tasks(zero), ...tasks(other)].filter((task) => task.includes('active running')).length === 2,
  )
  await feed(harness.log, 50)
  await decided(harness, 600)
  await expectCounted(harness)
  await zero.stop()
  await other.stop()
})
