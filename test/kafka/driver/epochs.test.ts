/** A transactional id runs through all its epochs in a day of busy commits, and then gets another producer id. */
import { expect, it } from 'vitest'
import { kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, readValues, request, untilStable } from './kafka-logs.ts'
import { producerIdOf, useUpEpochs } from './use-up-epochs.ts'

it('goes on when its producer id is used up', async () => {
  const { brokers, prefix } = kafka()
  const transactionalId = `${prefix}tx`
  const first = await useUpEpochs(brokers, transactionalId)
  const log = await connect(brokers)
  const topic = await makeTopic(log, `${prefix}topic`)
  const transactor = await log.transactor(transactionalId)
  const rounds = 60
  for (let round = 0; round < rounds; round++) {
    expect(await transactor.prepare(request(topic, `${prefix}group`, round, [`${round}`]))).toBeUndefined()
    expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
  }
  await untilStable(log, topic)
  const values = (await readValues(log, topic)).map(({ value }) => Number(value))
  expect(values).toEqual(Array.from({ length: rounds }, (_, round) => round))
  expect(await producerIdOf(brokers, transactionalId)).not.toBe(first)
})
