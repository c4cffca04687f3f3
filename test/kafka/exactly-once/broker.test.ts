/** The only broker goes, or stands still, under load: everything waits for it and goes on by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { startKafka } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { faultMs, seed } from './long-form.ts'
import { Sale, tell } from './sale.ts'

type Kafka = Awaited<ReturnType<typeof startKafka>>

const pausedMs = 20_000
const timeout = 400_000 + 2 * faultMs

let kafka: Kafka
let sale: Sale
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka.stop())
beforeEach(async () => {
  sale = await Sale.open({ brokers: kafka.brokers })
})
afterEach(async () => {
  await kafka.nodes[0]?.resume()
  await kafka.nodes[0]?.start()
  await sale.destroy()
})

async function isReady(): Promise<boolean> {
  return (await fetch(`${sale.system.url}/readyz`)).ok
}

it(`is restarted (SEED=${seed})`, { timeout }, async () => {
  const [node] = kafka.nodes
  let restarts = 0
  for (const until = performance.now() + faultMs; restarts === 0 || performance.now() < until; restarts++) {
    await sale.pause(sale.random.integer(500, 2000))
    await (restarts % 2 === 0 ? node?.kill() : node?.stop())
    await node?.start()
    await eventually('the gateway is ready again', isReady)
  }
  await sale.pause(1000)
  tell(`broker restarted ${restarts} times`, await sale.settle())
})

it(`is paused for ${pausedMs / 1000} s (SEED=${seed})`, { timeout }, async () => {
  const { load } = sale
  await sale.pause(1000)
  await kafka.nodes[0]?.pause()
  const before = new Map(load.statuses)
  const acknowledged = load.acknowledged.length
  await eventually('the gateway is not ready', async () => !(await isReady()))
  await sale.pause(pausedMs)
  const meanwhile = [...load.statuses].filter(([status, count]) => count > (before.get(status) ?? 0))
  expect(load.acknowledged.length - acknowledged).toBeLessThan(200)
  expect(meanwhile.map(([status]) => status).filter((status) => status >= 500)).not.toEqual([])
  for (const [status] of meanwhile) expect([201, 202, 409, 503, 504]).toContain(status)
  await kafka.nodes[0]?.resume()
  await eventually('the gateway is ready again', isReady)
  await sale.pause(2000)
  tell(`broker paused for ${pausedMs} ms`, await sale.settle())
})

it.each(['paused', 'killed'] as const)(
  `a stop does not wait for a broker that is %s (SEED=${seed})`,
  { timeout },
  async (how) => {
    const [node] = kafka.nodes
    await sale.pause(1000)
    await (how === 'paused' ? node?.pause() : node?.kill())
    // Appends and commits are under way by now, and nobody answers them.
    await sale.pause(500)
    const startedAt = performance.now()
    expect(await sale.system.stop()).toBe(0)
    // The broker comes back only after it: whoever waited for it would be cut off, and not end with 0.
    expect(performance.now() - startedAt).toBeLessThan(30_000)
    await sale.load.stop()
    await node?.resume()
    await node?.start()
    await sale.start()
    await sale.pause(500)
    tell(`stopped while the broker was ${how}`, await sale.settle())
  },
)
