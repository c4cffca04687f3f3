/** Sequence numbers begin again after 2^31 - 1; an appender would need days to get there, so a batch is stamped with them. */
import { expect, it } from 'vitest'
import { RecordBatchBuilder } from '#log'
import { initProducerId, noProducer } from '../../../log/kafka/protocol/init-producer-id.ts'
import { produce } from '../../../log/kafka/protocol/produce.ts'
import { sequenceAfter, stamp } from '../../../log/kafka/stamp.ts'
import { kafka } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { withCluster } from '../open-cluster.ts'
import { connect, makeTopic, readValues } from './kafka-logs.ts'

it('takes the batch across the end of the sequence, the one behind it, and each once', async () => {
  const { brokers, prefix } = kafka()
  const log = await connect(brokers)
  const topic = await makeTopic(log, `${prefix}topic`)
  await withCluster(brokers, async (cluster) => {
    await cluster.topic(topic)
    const leader = cluster.leader({ topic, partition: 0 })
    if (leader === undefined) throw new Error('there is no leader')
    const identity = { transactionalId: null, timeoutMs: -1, producer: noProducer }
    let producer = noProducer
    // A broker that has just started has no ids to give yet.
    await eventually('there is a producer id', async () => {
      const answer = await cluster.any(initProducerId, identity)
      producer = answer.producer
      return answer.code === 0
    })
    const send = async (values: readonly string[], sequence: number): Promise<unknown> => {
      const records = new RecordBatchBuilder()
      for (const value of values) records.append(null, value, 1000)
      const bytes = records.finish()
      stamp(bytes, producer, sequence)
      const batches = [{ topic, partition: 0, bytes }]
      const [answer] = await cluster.to(leader, produce, { transactionalId: null, timeoutMs: 5000, batches })
      return { code: answer?.code, baseOffset: answer?.baseOffset }
    }
    // A broker that knows nothing of a producer takes any sequence as its first.
    const first = 2 ** 31 - 4
    const across = sequenceAfter(first, 2)
    const behind = sequenceAfter(across, 5)
    expect(behind).toBe(3)
    expect(await send(['a', 'b'], first)).toEqual({ code: 0, baseOffset: 0 })
    expect(await send(['c', 'd', 'e', 'f', 'g'], across)).toEqual({ code: 0, baseOffset: 2 })
    expect(await send(['c', 'd', 'e', 'f', 'g'], across)).toEqual({ code: 0, baseOffset: 2 })
    expect(await send(['h'], behind)).toEqual({ code: 0, baseOffset: 7 })
    expect(await send(['?'], sequenceAfter(behind, 2))).toMatchObject({ code: 45 })
  })
  expect((await readValues(log, topic)).map(({ value }) => value).join('')).toBe('abcdefgh')
})
