/** A transactional id runs through all its epochs in a day of busy commits, and then gets another producer id. */
import { expect, it } from 'vitest'
import { silentLogger, systemClock } from '#core'
import { Cluster } from '../../../log/kafka/cluster.ts'
import { parseKafkaUrl } from '../../../log/kafka/kafka-url.ts'
import { TransactionCoordinator } from '../../../log/kafka/transaction-coordinator.ts'
import { kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, readValues, request, untilStable } from './kafka-logs.ts'

const lastEpochs = 32_740

it('goes on when its producer id is used up', async () => {
  const { brokers, prefix } = kafka()
  const transactionalId = `${prefix}tx`
  const cluster = new Cluster({
    ...parseKafkaUrl(`kafka://${brokers}`),
    clock: systemClock,
    logger: silentLogger,
  })
  await cluster.open(10_000)
  const connections = cluster.connections()
  const coordinator = new TransactionCoordinator({ cluster, connections, transactionalId, timeoutMs: 10_000 })
  await coordinator.takeOver()
  const first = coordinator.producer
  // Aborts of nothing take an epoch each, too, and no time.
  while (coordinator.producer.epoch < lastEpochs)
    expect(await coordinator.end(false, 10_000)).toMatchObject({ kind: 'ended' })
  expect(coordinator.producer.id).toBe(first.id)
  await connections.close()
  await cluster.close()

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
})
