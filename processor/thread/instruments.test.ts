import { expect, onTestFinished, test } from 'vitest'
import { noMetrics, systemClock } from '#core'
import type { Metrics, Observation } from '#core'
import { TopologyBuilder, output, utf8 } from '#topology'
import type { Topology } from '#topology'
import { EngineHarness } from '../testing/engine-harness.ts'
import { observeTasks } from './instruments.ts'

/** What a scrape would show now of the gauges, and what was counted. */
function scraped() {
  const observers = new Map<string, () => Iterable<Observation>>()
  const counted: unknown[] = []
  const metrics: Metrics = {
    ...noMetrics,
    counter: ({ name }) => ({
      add(value = 1, labels = {}) {
        if (name === 'streams_records_dead_lettered_total') counted.push([labels, value])
      },
    }),
    observableGauge({ name }, observe) {
      observers.set(name, observe)
      return () => void observers.delete(name)
    },
  }
  const shown = (name: string): Observation[] => [...(observers.get(name)?.() ?? [])]
  return { metrics, shown, counted, observers }
}

function refusing(): Topology {
  const builder = new TopologyBuilder()
  const { done } = builder.processor({
    name: 'refuse',
    from: builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 }),
    outputs: { done: output<string, string>() },
    init: ({ emit }) => ({
      process({ key, value }) {
        if (value === 'boom') throw new Error('boom')
        emit.done(key, value)
      },
    }),
  })
  builder.sink({ name: 'sink', from: done, topic: 'out', key: utf8, value: utf8 })
  return builder.build()
}

test('the lag of tasks that run and the number of tasks are shown as they are at that moment', () => {
  const { metrics, shown, observers } = scraped()
  const followed = { role: 'standby', status: 'following', lag: 7 }
  let tasks = [
    { taskId: '0_0', role: 'active', status: 'running', lag: 5 },
    { taskId: '0_1', role: 'active', status: 'restoring', lag: 0 },
    { taskId: '0_2', ...followed },
    { taskId: '0_3', ...followed },
  ]
  const end = observeTasks(metrics, () => tasks)
  expect(shown('streams_task_lag_records')).toEqual([{ value: 5, labels: { task: '0_0' } }])
  expect(shown('streams_tasks')).toEqual([
    { value: 1, labels: { role: 'active', status: 'running' } },
    { value: 1, labels: { role: 'active', status: 'restoring' } },
    { value: 2, labels: { role: 'standby', status: 'following' } },
  ])
  tasks = [{ taskId: '0_1', role: 'active', status: 'running', lag: 3 }]
  expect(shown('streams_task_lag_records')).toEqual([{ value: 3, labels: { task: '0_1' } }])
  expect(shown('streams_tasks')).toEqual([{ value: 1, labels: { role: 'active', status: 'running' } }])
  end()
  expect(observers.size).toBe(0)
})

test('a thread shows its tasks until it stops, and counts dead letters by code', async () => {
  const harness = await EngineHarness.open([
    { name: 'in', partitions: 1, settings: { cleanup: 'delete', timestamps: 'log-append' } },
    { name: 'out', partitions: 1, settings: { cleanup: 'delete' } },
  ])
  onTestFinished(() => harness.close())
  const { metrics, shown, counted, observers } = scraped()
  const streams = await harness.start(refusing(), { metrics })
  await harness.append('in', [
    ['a', 'boom'],
    ['a', '-'],
  ])
  await harness.readAtLeast('out', 1)
  expect(counted).toEqual([[{ code: 'PROCESSOR_POISON' }, 1]])
  while (streams.state().tasks[0]?.lag !== 0) await systemClock.sleep(5)
  expect(shown('streams_task_lag_records')).toEqual([{ value: 0, labels: { task: '0_0' } }])
  expect(shown('streams_tasks')).toEqual([{ value: 1, labels: { role: 'active', status: 'running' } }])
  await streams.stop()
  expect(observers.size).toBe(0)
})
