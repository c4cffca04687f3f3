/** The processor's transactional ids run out of epochs under load: each gets another producer id, and nobody notices. */
import { expect, it } from 'vitest'
import { rocksStorage } from '#state'
import { claimStateDirectory } from '../../../processor/process-id.ts'
import { apiKeys, kafka, startKafkaProxy } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { producerIdOf, useUpEpochs } from '../driver/use-up-epochs.ts'
import { seed } from './long-form.ts'
import { Sale, tell } from './sale.ts'

/** Of two ids in turn: more than what `useUpEpochs` leaves of each. */
const commits = 100

it(`transactional ids run through 33,000 transactions (SEED=${seed})`, { timeout: 480_000 }, async () => {
  const shared = kafka()
  const { brokers } = shared
  const proxy = await startKafkaProxy(shared)
  const sale = await Sale.open({ brokers, processorBrokers: proxy.brokers })
  try {
    const { appId, stateDir } = sale.system
    await sale.killProcessor()
    const identity = await claimStateDirectory(rocksStorage(), stateDir, appId)
    await identity.release()
    const ids = [0, 1].map((number) => `${appId}-${identity.processId}-0-${number}`)
    const before = await Promise.all(ids.map((id) => useUpEpochs(brokers, id)))
    const already = proxy.requests(apiKeys.endTxn)
    await sale.startProcessor()
    await eventually('the ids are used up', async () => proxy.requests(apiKeys.endTxn) > already + commits)
    const report = await sale.settle()
    // Whoever kept the producer id that is used up would be fenced, and have to take the ids again.
    expect(sale.system.stderr).not.toMatch(/"outcome":"fenced".*"transactional id given up"/)
    const after = await Promise.all(ids.map((id) => producerIdOf(brokers, id)))
    for (const [index, id] of after.entries()) expect(id).not.toBe(before[index])
    tell('both transactional ids beyond their last epoch', report)
  } finally {
    await sale.destroy()
    await proxy.close()
  }
})
