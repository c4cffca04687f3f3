/**
 * The victim of crash.test.ts: appends and commits as fast as it can, and writes a line to stdout for each
 * acknowledgement. Values say where they should be found.
 */
import { writeSync } from 'node:fs'
import { systemClock } from '#core'
import { RecordBatchBuilder } from '../index.ts'
import { EmbeddedBroker, openEmbeddedLog } from './index.ts'

const broker = await EmbeddedBroker.open({ dir: process.argv[2] as string, clock: systemClock })
const log = await openEmbeddedLog(broker, { clock: systemClock })
const group = { group: 'g', generation: -1, memberId: '' }
await log.admin.ensureTopics([
  { name: 'appended', partitions: 2, settings: { cleanup: 'delete', timestamps: 'log-append' } },
  { name: 'committed', partitions: 2, settings: { cleanup: 'delete' } },
])
const life = Number(process.argv[3])
await Promise.all([...Array.from({ length: 32 }, (_, lane) => appendForEver(lane)), commitForEver()])

async function appendForEver(lane: number): Promise<void> {
  const appender = log.appender()
  for (let count = 0; ; count++) {
    const value = `${life}.${lane}.${count}`
    const { partition, offset } = await appender.append({
      topic: 'appended',
      partition: lane % 2,
      key: null,
      value,
    })
    writeSync(1, `appended ${partition} ${offset} ${value}\n`)
  }
}

/** Each transaction appends its number to both partitions and commits it as the offset. */
async function commitForEver(): Promise<void> {
  const transactor = await log.transactor('tx')
  const place = { topic: 'committed', partition: 0 }
  const [before] = await log.admin.committedOffsets('g', [place], { requireStable: true })
  const records = new RecordBatchBuilder()
  for (let number = (before?.offset ?? 0) + 1; ; number++) {
    records.reset()
    records.append(null, `${number}`, 1)
    const appends = [0, 1].map((partition) => ({ topic: 'committed', partition, records }))
    const offsets = [{ ...place, offset: number, metadata: '' }]
    const failed = await transactor.prepare({ appends, group, offsets })
    const outcome = failed ?? (await transactor.commit())
    if (outcome.kind !== 'committed') throw outcome.error
    writeSync(1, `committed ${number}\n`)
  }
}
