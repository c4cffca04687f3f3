import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core'
import type { Log } from '#log'
import { TaskState, restoreStores, rocksStorage } from '#state'
import type { StoreChangelog } from '#state'
import { copying } from './testing/copying.ts'
import { EngineHarness } from './testing/engine-harness.ts'

/** Fetches little at a time. */
function sipping(log: Log): Log {
  return {
    clusterId: log.clusterId,
    admin: log.admin,
    appender: (options) => log.appender(options),
    reader: () => log.reader({ partitionBytesMax: 4096 }),
    transactor: (id, options) => log.transactor(id, options),
    join: (options) => log.join(options),
    close: () => log.close(),
  }
}

const records = 400

async function worked(): Promise<{ harness: EngineHarness; directory: string; changelog: StoreChangelog }> {
  const harness = await EngineHarness.open(
    ['in', 'out'].map((name) => ({
      name,
      partitions: 1,
      settings: { cleanup: 'delete', timestamps: name === 'in' ? 'log-append' : 'create' },
    })),
  )
  onTestFinished(() => harness.close())
  const streams = await harness.start(copying(), { limits: { recordsMax: 10 } })
  await harness.append(
    'in',
    Array.from({ length: records }, (_, at): [string, string] => [`key-${at}`, 'x'.repeat(100)]),
  )
  await harness.readAtLeast('out', records)
  await streams.stop()
  await rm(harness.stateDir, { recursive: true })
  const topic = 'app-kept-changelog'
  const [edge] = await harness.log.admin.offsets([{ topic, partition: 0 }])
  const topicId = (await harness.log.admin.describeTopics([topic])).get(topic)?.topicId ?? ''
  const facts = {
    clusterId: harness.log.clusterId,
    topicId,
    start: edge?.start ?? 0,
    end: edge?.highWatermark ?? 0,
    deleteRetentionMs: 1e9,
  }
  const directory = join(harness.stateDir, 'app', '0_0')
  return { harness, directory, changelog: { store: 'kept', topic, partition: 0, facts } }
}

const openState = (directory: string): Promise<TaskState> =>
  TaskState.open({
    storage: rocksStorage(),
    directory,
    stores: copying().subtopologies[0]?.stores ?? [],
  })

test('a restore that ends in the middle goes on from there, whole', async () => {
  const { harness, directory, changelog } = await worked()
  const half = new AbortController()
  let state = await openState(directory)
  let writes = 0
  const options = { log: sipping(harness.log), clock: systemClock, changelogs: [changelog] }
  const first = await restoreStores({
    ...options,
    state,
    signal: half.signal,
    onProgress: () => void (++writes === 3 && half.abort()),
  })
  expect(first).toBeGreaterThan(0)
  const reached = state.checkpoint('kept')?.offset ?? 0
  expect(reached).toBeGreaterThan(changelog.facts.start)
  await state.close()
  state = await openState(directory)
  expect(state.checkpoint('kept')?.offset).toBe(reached)
  const seen: number[] = []
  const rest = await restoreStores({
    ...options,
    state,
    signal: new AbortController().signal,
    onProgress: ({ from, records: applied }) => void seen.push(from, applied),
  })
  expect(seen[0]).toBe(reached)
  // Each transaction wrote its position, too.
  expect(first + rest).toBeGreaterThanOrEqual(records)
  expect(seen.filter((_, at) => at % 2 === 1).reduce((sum, applied) => sum + applied, 0)).toBe(rest)
  const kept = [...state.dump('kept')].filter(([key]) => key[0] === 1)
  expect(kept.length).toBe(records)
  await state.close()
})

test('each write of a restore has its turn, and none comes after it was given up', async () => {
  const { harness, directory, changelog } = await worked()
  const state = await openState(directory)
  const abort = new AbortController()
  const events: string[] = []
  await restoreStores({
    log: sipping(harness.log),
    clock: systemClock,
    changelogs: [changelog],
    state,
    signal: abort.signal,
    turn: async () => {
      events.push('turn')
      if (events.length === 5) abort.abort()
    },
    onProgress: () => void events.push('write'),
  })
  expect(events).toEqual(['turn', 'write', 'turn', 'write', 'turn'])
  await state.close()
})
