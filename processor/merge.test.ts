import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#core'
import type { TopicSpec } from '#log'
import { TopologyBuilder, setStore, utf8, output } from '#topology'
import type { Topology } from '#topology'
import { EngineHarness } from './testing/engine-harness.ts'

const topic = (name: string): TopicSpec => ({
  name,
  partitions: 1,
  settings: { cleanup: 'delete', timestamps: name === 'in' ? 'log-append' : 'create' },
})

/** Remembers every value of a key, and tells how many there are. */
function remembering(): Topology {
  const builder = new TopologyBuilder()
  const seen = setStore({ name: 'seen', key: utf8, member: utf8, value: utf8 })
  const input = builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 })
  const { told } = builder.processor({
    name: 'remember',
    from: input,
    stores: { seen },
    outputs: { told: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key, value }) {
        stores.seen.add(key, value, '')
        emit.told(key, String(stores.seen.size(key)))
      },
    }),
  })
  builder.sink({ name: 'sink', from: told, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}

/** Keys that a changelog still holds, position records left out. */
async function liveSegments(harness: EngineHarness): Promise<number> {
  const last = new Map<string, boolean>()
  for (const { key, value } of await harness.read('app-seen-changelog')) {
    if (key !== '\u0000') last.set(key ?? '', value !== null)
  }
  return [...last.values()].filter(Boolean).length
}

test('small segments are merged in quiet moments, and the merged state goes on after a restore', async () => {
  const harness = await EngineHarness.open([topic('in'), topic('out')])
  onTestFinished(() => harness.close())
  const streams = await harness.start(remembering())
  const records = 12
  for (let number = 1; number <= records; number++) {
    await harness.append('in', [['c', `user ${number}`]])
    await harness.readAtLeast('out', number)
  }
  while ((await liveSegments(harness)) > records / 2) await systemClock.sleep(5)
  await streams.stop()
  const offsets = await harness.log.admin.committedOffsets('app', [{ topic: 'in', partition: 0 }], {
    requireStable: true,
  })
  expect(offsets[0]?.offset).toBe(records)

  await harness.start(remembering(), { stateDir: `${harness.stateDir}-elsewhere` })
  await harness.append('in', [['c', 'user 1']])
  await harness.append('in', [['c', 'one more']])
  const out = await harness.readAtLeast('out', records + 2)
  expect(out.slice(records).map(({ value }) => value)).toEqual([String(records), String(records + 1)])
})
