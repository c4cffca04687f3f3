import { expect, test } from 'vitest'
import { noMetrics, silentLogger } from '#core'
import type { Logger } from '#core'
import { RestoreReport, restoreInstruments } from './restore-report.ts'
import { ManualClock } from './testing/manual-clock.ts'

test('a long restore tells how far it is every five seconds, and what it took', () => {
  const clock = new ManualClock(0)
  const lines: [string, object][] = []
  const logger: Logger = { ...silentLogger, info: (fields, message) => void lines.push([message, fields]) }
  const left = new Map<unknown, number>()
  const instruments = restoreInstruments({
    ...noMetrics,
    gauge: () => ({ set: (value, labels) => void left.set(labels?.['store'], value) }),
  })
  const report = new RestoreReport({ taskId: '0_1', clock, logger, instruments })
  const step = { records: 100, bytes: 1000, from: 1000, target: 3000 }
  report.note({ ...step, store: 'a', position: 1500 })
  clock.advance(4999)
  report.note({ ...step, store: 'a', position: 2000 })
  expect(lines).toEqual([])
  clock.advance(1)
  report.note({ ...step, store: 'b', position: 1000 })
  const told = { task: '0_1', bytes: 3000, records: 300 }
  expect(lines).toEqual([['restoring task', { ...told, percent: 25, recordsPerSecond: 60, ms: 5000 }]])
  expect([...left]).toEqual([
    ['a', 1000],
    ['b', 2000],
  ])
  report.note({ ...step, store: 'a', position: 3000 })
  report.note({ ...step, store: 'b', position: 3001, records: 0, bytes: 0 })
  report.done()
  expect(lines[1]).toEqual([
    'task restored',
    { task: '0_1', records: 400, bytes: 4000, percent: 100, recordsPerSecond: 80, ms: 5000 },
  ])
  expect([...left.values()]).toEqual([0, 0])
})
