/** The harness itself: the broker of the run, and brokers of a test's own that die, sleep and come back. */
import { Admin } from '@platformatic/kafka'
import { afterAll, describe, expect, it } from 'vitest'
import { kafka, startKafka } from '../servers/kafka/index.ts'

const admins: Admin[] = []
afterAll(() => Promise.all(admins.map((admin) => admin.close())))

function adminOf(brokers: string): Admin {
  const admin = new Admin({
    clientId: 'test',
    bootstrapBrokers: brokers.split(','),
    retries: 20,
    retryDelay: 200,
  })
  admins.push(admin)
  return admin
}

describe('the broker of the run', () => {
  it('takes topics, and gives each test names of its own', async () => {
    const { brokers, prefix } = kafka()
    const topic = `${prefix}topic`
    const admin = adminOf(brokers)
    await admin.createTopics({ topics: [topic], partitions: 3, replicas: 1 })
    expect(await admin.listTopics()).toContain(topic)
    expect(kafka().prefix).not.toBe(prefix)
  })
})

describe('three brokers', () => {
  it('replicate', async () => {
    const cluster = await startKafka({ nodes: 3 })
    try {
      const topics = await adminOf(cluster.brokers).createTopics({
        topics: ['replicated'],
        partitions: 3,
        replicas: 3,
      })
      expect(topics).toHaveLength(1)
    } finally {
      await cluster.stop()
    }
  })
})
