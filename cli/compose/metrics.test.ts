import { expect, it } from 'vitest'
import { createMetrics, metricsText } from './metrics.ts'

it('sums what several threads count under one name, and keeps labels apart', async () => {
  const threads = [createMetrics({ processMetrics: false }), createMetrics({ processMetrics: false })]
  for (const { metrics } of threads) {
    const counter = metrics.counter({ name: 'done_total', help: 'done', labels: ['kind'] })
    counter.add(2, { kind: 'a' })
    counter.add(1, { kind: 'b' })
    metrics.histogram({ name: 'took_seconds', help: 'took', buckets: [0.1, 1] }).observe(0.5)
  }
  const { body: text } = await metricsText(await Promise.all(threads.map((thread) => thread.snapshot())))
  expect(text).toContain('done_total{kind="a"} 4')
  expect(text).toContain('done_total{kind="b"} 2')
  expect(text).toContain('took_seconds_bucket{le="1"} 2')
  expect(text.match(/# TYPE done_total counter/g)).toHaveLength(1)
})

it('asks an observed gauge when it is shown, and forgets what is gone', async () => {
  const registry = createMetrics({ processMetrics: false })
  const { metrics } = registry
  const shown = async (): Promise<string[]> => {
    const { body } = await metricsText([await registry.snapshot()])
    return body.split('\n').filter((line) => line.startsWith('lag{'))
  }
  const instrument = { name: 'lag', help: 'lag', labels: ['task'] }
  const lags = new Map([['0_0', 3]])
  const end = metrics.observableGauge(instrument, () =>
    [...lags].map(([task, value]) => ({ value, labels: { task } })),
  )
  metrics.observableGauge(instrument, () => [{ value: 9, labels: { task: '1_0' } }])
  expect(await shown()).toEqual(['lag{task="0_0"} 3', 'lag{task="1_0"} 9'])
  lags.delete('0_0')
  lags.set('0_1', 4)
  expect(await shown()).toEqual(['lag{task="0_1"} 4', 'lag{task="1_0"} 9'])
  end()
  expect(await shown()).toEqual(['lag{task="1_0"} 9'])
})

it('answers the same instrument when asked for a name twice', async () => {
  const registry = createMetrics({ processMetrics: false })
  const { metrics } = registry
  metrics.gauge({ name: 'depth', help: 'depth' }).set(1)
  metrics.gauge({ name: 'depth', help: 'depth' }).set(7)
  expect((await metricsText([await registry.snapshot()])).body).toContain('depth 7')
})
