/** Transactions one after the other, by several writers at a time. */
import { systemClock } from '#core'
import { RecordBatchBuilder } from '#log'
import type { Transactor } from '#log'
import { withLog } from '../engine/with-log.ts'
import { measured } from '../runner/measured.ts'
import { transactionsScript } from './scripts.ts'

const warmUpMs = 1000
const valueBytes = 200

measured(transactionsScript, ({ brokers, topic, writers, seconds }) =>
  withLog({ brokers }, async (log) => {
    await log.admin.ensureTopics([{ name: topic, partitions: writers, settings: { cleanup: 'delete' } }])
    let transactions = 0
    const stop = new AbortController()
    const running = Array.from({ length: writers }, async (_, partition) => {
      const transactors = [0, 1].map((turn) => log.transactor(`${topic}-${partition}-${turn}`))
      const own = await Promise.all(transactors)
      for (let turn = 0; !stop.signal.aborted; turn++) {
        await transact(own[turn % own.length] as Transactor, { topic, partition }, turn)
        transactions++
      }
      for (const transactor of own) await transactor.close()
    })
    await systemClock.sleep(warmUpMs)
    const before = transactions
    const cpuBefore = process.cpuUsage()
    await Promise.race([systemClock.sleep(1000 * seconds), ...running])
    const cpu = process.cpuUsage(cpuBefore)
    const during = transactions - before
    stop.abort()
    await Promise.all(running)
    return { transactions: during, cpuSeconds: (cpu.user + cpu.system) / 1e6 }
  }),
)

async function transact(
  transactor: Transactor,
  place: { readonly topic: string; readonly partition: number },
  offset: number,
): Promise<void> {
  const records = new RecordBatchBuilder()
  records.append('key', Buffer.alloc(valueBytes, 'x'), systemClock.now())
  const failed = await transactor.prepare({
    appends: [{ ...place, records }],
    // Of no group: nothing else commits these.
    group: { group: place.topic, generation: -1, memberId: '' },
    offsets: [{ ...place, offset, metadata: '' }],
  })
  const outcome = failed ?? (await transactor.commit())
  if (outcome.kind !== 'committed')
    throw new Error(`a transaction is ${outcome.kind}: ${outcome.error.message}`)
}
