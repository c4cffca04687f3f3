import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core'
import { TaskState, rocksStorage } from '#state'
import type { Checkpoint } from '#state'
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { TaskRegistry } from '../task-registry.ts'
import type { Task } from '../task.ts'
import { EngineHarness } from '../testing/engine-harness.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { restoredRecords } from '../testing/restored-records.ts'
import { CheckpointRenewal } from './checkpoint-renewal.ts'

const hour = 3_600_000
const day = 24 * hour

/** Each record is written to `often`, only those of the key `rare` also to `seldom`. */
function uneven(): Topology {
  const builder = new TopologyBuilder()
  const often = keyValueStore({ name: 'often', key: utf8, value: utf8 })
  const seldom = keyValueStore({ name: 'seldom', key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'keep',
    from: builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 }),
    stores: { often, seldom },
    outputs: { told: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key, value }) {
        stores.often.put(key, value)
        if (key === 'rare') stores.seldom.put(key, value)
        emit.told(key, value)
      },
    }),
  })
  builder.sink({ name: 'sink', from: told, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

async function open(): Promise<{ harness: EngineHarness; clock: ManualClock }> {
  const harness = await EngineHarness.open([
    { name: 'in', partitions: 1, settings: { cleanup: 'delete', timestamps: 'log-append' } },
    { name: 'out', partitions: 1, settings: { cleanup: 'delete' } },
  ])
  onTestFinished(() => harness.close())
  return { harness, clock: new ManualClock(systemClock.now()) }
}

/** Of a stopped process. */
async function checkpointOf(harness: EngineHarness, store: string): Promise<Checkpoint | undefined> {
  const directory = join(harness.stateDir, 'app', '0_0')
  const stores = uneven().subtopologies[0]?.stores ?? []
  const state = await TaskState.open({ storage: rocksStorage(), directory, stores })
  const checkpoint = state.checkpoint(store)
  await state.close()
  return checkpoint
}

describe('a store that nobody writes to', () => {
  test('keeps a young checkpoint while its task runs', async () => {
    const { harness, clock } = await open()
    const streams = await harness.start(uneven(), { clock })
    await harness.append('in', [['rare', '1']])
    await harness.readAtLeast('out', 1)
    for (let passed = 0; passed < 5 * day; passed += hour) {
      clock.advance(hour)
      await systemClock.sleep(1)
    }
    await harness.append('in', [['other', '2']])
    await harness.readAtLeast('out', 2)
    await streams.stop()
    const { writtenAt, offset } = (await checkpointOf(harness, 'seldom')) ?? { writtenAt: 0, offset: 0 }
    expect(clock.now() - writtenAt).toBeLessThan(3 * day)
    expect(offset).toBe(1)
  })

  test('has a young checkpoint after a start that found nothing to restore', async () => {
    const { harness, clock } = await open()
    const { metrics, of } = restoredRecords()
    for (let start = 0; start < 3; start++) {
      const streams = await harness.start(uneven(), { clock, metrics })
      if (start === 0) await harness.append('in', [['rare', '1']])
      await harness.readAtLeast('out', 1)
      while (!streams.state().ready) await systemClock.sleep(1)
      await streams.stop()
      clock.advance(3 * day)
    }
    expect(of('active')).toBe(0)
  })
})

describe('the date', () => {
  /** Tasks by name, each with the dates that its checkpoints were given. */
  function renewing(isMember: (tasks: TaskRegistry, clock: ManualClock) => Promise<boolean>) {
    const clock = new ManualClock(0)
    const tasks = new TaskRegistry()
    const dates: string[] = []
    for (const taskId of ['0_0', '0_1']) {
      const renewCheckpoints = (asOf: number): unknown => dates.push(`${taskId} ${asOf / hour} h`)
      const state: Partial<TaskState> = { renewCheckpoints }
      tasks.add({ taskId, status: 'running', inputs: [], state } as unknown as Task)
    }
    const stop = new AbortController()
    const renewal = new CheckpointRenewal({ clock, tasks }, { isMember: () => isMember(tasks, clock) })
    const running = renewal.run(stop.signal)
    const pass = async (ms: number): Promise<readonly string[]> => {
      clock.advance(ms)
      await systemClock.yield()
      return dates.splice(0)
    }
    onTestFinished(() => {
      stop.abort()
      return running
    })
    return { pass }
  }

  test('is that of every hour', async () => {
    const { pass } = renewing(async () => true)
    expect(await pass(hour - 1)).toEqual([])
    expect(await pass(10_000)).toEqual(['0_0 1.0027775 h', '0_1 1.0027775 h'])
    expect(await pass(10_000)).toEqual([])
    expect(await pass(hour)).toHaveLength(2)
  })

  test('is not after what the group was asked', async () => {
    const { pass } = renewing(async (_, clock) => {
      clock.advance(9 * day)
      return true
    })
    expect(await pass(hour)).toEqual(['0_0 1 h', '0_1 1 h'])
  })

  test('stays while the thread has no place in the group, and is asked for again', async () => {
    let isMember = false
    const { pass } = renewing(async () => isMember)
    expect(await pass(8 * day)).toEqual([])
    isMember = true
    expect(await pass(10_000)).toHaveLength(2)
  })

  test('stays for a task that was given back while the group was asked', async () => {
    const { pass } = renewing(async (tasks) => {
      const [first] = tasks.all()
      if (first !== undefined) tasks.delete(first)
      return true
    })
    expect(await pass(hour)).toEqual(['0_1 1 h'])
  })
})
