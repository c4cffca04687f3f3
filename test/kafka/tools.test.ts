/** Kafka's own tools, as the tests of interoperability will use them. */
import { Admin, Producer, stringSerializers } from '@platformatic/kafka'
import { afterAll, describe, expect, it } from 'vitest'
import { kafka, kafkaTools, startKafka } from '../servers/kafka/index.ts'

const { brokers, prefix } = kafka()
const tools = kafkaTools(brokers)
const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers.split(',') })
afterAll(() => admin.close())

describe("Kafka's tools", () => {
  it('write records and read them with all there is to a record', async () => {
    const topic = `${prefix}records`
    await admin.createTopics({ topics: [topic], partitions: 2, replicas: 1 })
    const values = ['{"n":1}', '{"n":2}', 'three: words, and a comma']
    await tools.produce(
      topic,
      values.map((value) => ({ key: 'same', value })),
    )
    const records = await tools.consume({ topic, maxMessages: 3 })
    expect(records.map(({ offset, key, value }) => ({ offset, key, value }))).toEqual(
      values.map((value, offset) => ({ offset, key: 'same', value })),
    )
    expect(records[0]).toMatchObject({ headers: [], timestampType: 'CreateTime' })
    const partition = records[0]?.partition ?? Number.NaN
    expect(await tools.offsets(topic)).toEqual(
      new Map([
        [partition, 3],
        [1 - partition, 0],
      ]),
    )
    expect(await tools.offsets(topic, 'earliest')).toEqual(
      new Map([
        [0, 0],
        [1, 0],
      ]),
    )
  })

  it('end when nothing comes', async () => {
    const topic = `${prefix}empty`
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
    expect(await tools.consume({ topic, timeoutMs: 500 })).toEqual([])
  })

  it('tell a transaction that is open, and what an aborted one wrote', async () => {
    const topic = `${prefix}transactional`
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
    const transactionalId = `${prefix}id`
    const producer = new Producer({
      clientId: 'test',
      bootstrapBrokers: brokers.split(','),
      serializers: stringSerializers,
      idempotent: true,
      transactionalId,
    })
    try {
      const transaction = await producer.beginTransaction()
      await transaction.send({
        messages: [{ topic, key: 'key', value: 'aborted', headers: { name: 'header' } }],
      })
      const described = await tools.transactions('describe', '--transactional-id', transactionalId)
      expect(described).toMatch(/Ongoing/)
      await transaction.abort()
    } finally {
      await producer.close()
    }
    await tools.produce(topic, [{ key: 'key', value: 'plain' }])
    const values = async (
      isolation: 'read_committed' | 'read_uncommitted',
      maxMessages: number,
    ): Promise<unknown[]> => {
      const records = await tools.consume({ topic, isolation, maxMessages })
      return records.map(({ value, headers }) => ({ value, headers }))
    }
    const aborted = { value: 'aborted', headers: [['name', 'header']] }
    const plain = { value: 'plain', headers: [] }
    expect(await values('read_uncommitted', 2)).toEqual([aborted, plain])
    // What was aborted comes first in the log, so it would be this one.
    expect(await values('read_committed', 1)).toEqual([plain])
  })

  it('describe topics, groups and transactions', async () => {
    const topic = `${prefix}described`
    await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
    expect(await tools.describeTopic(topic)).toMatch(/PartitionCount: 1\s+ReplicationFactor: 1/)
    await expect(tools.describeGroup(`${prefix}nobody`)).rejects.toThrow(/nobody/)
    expect(await tools.transactions('list')).toContain('TransactionalId')
    await expect(tools.describeTopic(`${prefix}missing`)).rejects.toThrow(/does not exist/)
  })
})

describe('three brokers', () => {
  it('lead in turn, go on without one, and take it back', async () => {
    const cluster = await startKafka({ nodes: 3 })
    const own = new Admin({ clientId: 'test', bootstrapBrokers: cluster.brokers.split(','), retries: 20 })
    try {
      const { moveLeader, describeTopic, produce, consume } = kafkaTools(cluster.brokers)
      await own.createTopics({ topics: ['moved'], partitions: 1, replicas: 3 })
      const leader = async (): Promise<number> =>
        Number((await describeTopic('moved')).match(/Leader: (\d)/)?.[1])
      const before = await leader()
      const after = await moveLeader('moved', 0)
      expect(after).not.toBe(before)
      expect(await leader()).toBe(after)

      const killed = cluster.nodes[after - 1]
      await killed?.kill()
      await produce('moved', [{ key: 'key', value: 'written while it was down' }])
      expect(await leader()).not.toBe(after)
      await killed?.start()
      await cluster.nodes[before - 1]?.restart()
      expect(await consume({ topic: 'moved', maxMessages: 1 })).toMatchObject([
        { value: 'written while it was down' },
      ])
    } catch (error) {
      console.error(cluster.log())
      throw error
    } finally {
      await own.close()
      await cluster.stop()
    }
  })
})
