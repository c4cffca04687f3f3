import { expect, it } from 'vitest'
import { silentLogger, systemClock } from '#core'
import { SinkHealth } from './sink-health.ts'

const clock = { ...systemClock, sleep: async () => {} }

async function seen(health: SinkHealth): Promise<Record<string, boolean>> {
  const checks = await Promise.all(health.checks.map(async ({ name, isReady }) => [name, await isReady()]))
  return Object.fromEntries(checks) as Record<string, boolean>
}

it('tells of each store by itself, as long as its thread lives', async () => {
  const said: string[] = []
  const logger = { ...silentLogger, error: (fields: object) => said.push(JSON.stringify(fields)) }
  const health = new SinkHealth(['sql', 'redis'], { clock: systemClock, logger })
  expect(health.checks.map(({ required }) => required)).toEqual([false, false])
  expect(await seen(health)).toEqual({ sql: false, redis: false })
  let answer = { sql: true, redis: false }
  health.started(async () => answer)
  expect(await seen(health)).toEqual({ sql: true, redis: false })
  answer = { sql: true, redis: true }
  expect(await seen(health)).toEqual({ sql: true, redis: true })

  health.ended(new Error('out of memory'))
  health.ended(new Error('the thread ended'))
  expect(await seen(health)).toEqual({ sql: false, redis: false })
  expect(said).toEqual(['{"error":"out of memory"}'])
})

it('does not wait for a thread that is busy: what it said last is told', async () => {
  const health = new SinkHealth(['sql'], { clock, logger: silentLogger })
  let busy = false
  health.started(() => (busy ? new Promise(() => {}) : Promise.resolve({ sql: true })))
  while (!(await seen(health))['sql']) await systemClock.yield()
  busy = true
  expect(await seen(health)).toEqual({ sql: true })
})

it('waits for a late answer only once, however often it is asked', async () => {
  let waits = 0
  let answer = (): void => {}
  const counting = { ...systemClock, sleep: async () => void waits++ }
  const health = new SinkHealth(['sql', 'redis'], { clock: counting, logger: silentLogger })
  health.started(() => new Promise((resolve) => (answer = () => resolve({ sql: true, redis: true }))))
  for (let asked = 0; asked < 5; asked++) expect(await seen(health)).toEqual({ sql: false, redis: false })
  expect(waits).toBe(1)
  answer()
  await systemClock.yield()
  expect(await seen(health)).toEqual({ sql: true, redis: true })
  expect(waits).toBe(2)
})
