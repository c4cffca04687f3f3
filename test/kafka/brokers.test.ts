/** Brokers of a test's own: they die, sleep, come back with what they had, and never outlive us. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import { expect, it } from 'vitest'
import { brokersAlive } from '../servers/kafka/alive.ts'
import { kafkaTools, startKafka, startKafkaProxy } from '../servers/kafka/index.ts'
import { eventually } from '../system/eventually.ts'

const portOf = (brokers: string): number => Number(brokers.split(':')[1])

/** One look gives up after a second, and brokers find each other again after their start only. */
async function expectAlive(
  ports: readonly number[],
  expected: readonly (readonly number[])[],
): Promise<void> {
  await eventually(`alive are ${JSON.stringify(expected)}`, async () => {
    const alive = await Promise.all(ports.map((port) => brokersAlive(port)))
    return JSON.stringify(alive) === JSON.stringify(expected)
  })
}

it('a broker dies, sleeps and comes back with what it had', async () => {
  const cluster = await startKafka({ properties: { 'num.partitions': 3 } })
  const [node] = cluster.nodes
  const port = portOf(cluster.brokers)
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [cluster.brokers], retries: 20 })
  try {
    const { describeTopic, produce, consume } = kafkaTools(cluster.brokers)
    // -1: as the broker's settings say.
    await admin.createTopics({ topics: ['kept'], partitions: -1, replicas: -1 })
    expect(await describeTopic('kept')).toContain('PartitionCount: 3')
    await produce('kept', [{ key: 'key', value: 'value' }])

    await node?.kill()
    expect(await brokersAlive(port)).toEqual([])
    await node?.start()
    await expectAlive([port], [[1]])

    await node?.pause()
    expect(await brokersAlive(port, 300)).toEqual([])
    await node?.resume()
    await expectAlive([port], [[1]])

    await node?.restart()
    expect(await consume({ topic: 'kept', maxMessages: 1 })).toMatchObject([{ key: 'key', value: 'value' }])
    expect(cluster.log()).toContain('Kafka Server started')
  } finally {
    await admin.close()
    await cluster.stop()
  }
})

it('one of three brokers can be cut off from clients', async () => {
  const cluster = await startKafka({ nodes: 3 })
  try {
    const proxy = await startKafkaProxy(cluster)
    const ports = proxy.brokers.split(',').map(portOf)
    proxy.refuse(2)
    await expectAlive(ports, [[1, 2, 3], [], [1, 2, 3]])
    proxy.restore()
    await expectAlive(ports, [
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
    await proxy.close()
  } finally {
    await cluster.stop()
  }
})

it('nothing is left of brokers whose process was killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-orphans-'))
  const child = fork(new URL('test-cluster-child.ts', import.meta.url), {
    env: { ...process.env, TMPDIR: folder },
  })
  const [brokers] = (await once(child, 'message')) as [string]
  expect(readdirSync(folder).filter((name) => name.startsWith('millrace-kafka-'))).toHaveLength(1)
  child.kill('SIGKILL')
  // The port is refused at once, not after a time-out, when nobody is there.
  while (readdirSync(folder).some((name) => name.startsWith('millrace-kafka-'))) await sleep(50)
  expect(await brokersAlive(portOf(brokers))).toEqual([])
  rmSync(folder, { recursive: true })
})
