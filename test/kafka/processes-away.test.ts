/** A Kafka that comes late, goes, and comes back, under processes that must neither end nor hang nor lie. */
import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest'
import { startKafka } from '../servers/kafka/index.ts'
import { openCoupon } from '../system/commands.ts'
import { eventually } from '../system/eventually.ts'
import { endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import { verify } from '../system/verify.ts'

type Kafka = Awaited<ReturnType<typeof startKafka>>

let kafka: Kafka
let system: System
beforeAll(async () => {
  kafka = await startKafka()
})
afterAll(() => kafka.stop())
beforeEach(async () => {
  system = await System.create({ log: 'kafka', apart: true, brokers: kafka.brokers })
})
afterEach(async () => {
  await system.destroy()
  await kafka.nodes[0]?.start()
})

const claims = '/api/v1/coupons/one/claims'

async function claim(userId: string): Promise<string> {
  const { status, body } = await system.http.send('POST', claims, { userId }, { prefer: 'wait=20' })
  // The broker has only just come back: the processor may need longer to come back to it than the claim waits.
  expect([201, 202]).toContain(status)
  return (body as { claimId: string }).claimId
}

it('is waited for at the start', async () => {
  const [node] = kafka.nodes
  await node?.stop()
  const started = system.start()
  await eventually('all three wait', async () => system.stderr.split('cannot be reached').length > 3)
  await node?.start()
  await started
  await openCoupon(system, 'one', { stock: 1 })
  const claimId = await claim('ann')
  await loaded(system, endsOf([claimId]))
  expect(await system.stop()).toBe(0)
  const { violations } = await verify(system, [{ claimId }])
  expect(violations).toEqual([])
})

it('may go and come back: meanwhile nothing is accepted, afterwards all goes on', async () => {
  const [node] = kafka.nodes
  await system.start()
  await openCoupon(system, 'one', { stock: 10 })
  const before = await claim('ann')
  await node?.kill()
  const refused = await system.http.send('POST', claims, { userId: 'bob' }, { 'idempotency-key': 'bob-1' })
  expect([503, 504]).toContain(refused.status)
  await eventually(
    'the gateway is not ready',
    async () => (await fetch(`${system.url}/readyz`)).status === 503,
  )
  await node?.start()
  await eventually('the gateway is ready', async () => (await fetch(`${system.url}/readyz`)).ok)
  const after = await claim('carl')
  await loaded(system, endsOf([before, after]))
  expect(await system.stop()).toBe(0)
  const { violations } = await verify(system, [{ claimId: before }, { claimId: after }])
  expect(violations).toEqual([])
})

it('does not hold up a stop', async () => {
  await system.start()
  await openCoupon(system, 'one', { stock: 10 })
  await claim('ann')
  await kafka.nodes[0]?.kill()
  // A stop that takes nine seconds is cut off, and says so by its exit code.
  expect(await system.stop()).toBe(0)
})
