/** Clients of one test, closed at its end. */
import { afterEach } from 'vitest'
import { systemClock } from '#core'
import { RecordBatchBuilder, everyPartition } from '#log'
import type { Log, Reader, TransactionRequest } from '#log'
import { openKafkaLog } from '#log/kafka'
import type { KafkaLogOptions } from '#log/kafka'
import { startKafkaProxy } from '../../servers/kafka/index.ts'
import type { SharedKafka } from '../../servers/kafka/start.ts'

type Proxy = Awaited<ReturnType<typeof startKafkaProxy>>

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end()
})

export async function connect(brokers: string, options: Partial<KafkaLogOptions> = {}): Promise<Log> {
  const log = await openKafkaLog({ url: `kafka://${brokers}`, clock: systemClock, ...options })
  endings.push(() => log.close())
  return log
}

export async function proxied(kafka: SharedKafka): Promise<Proxy> {
  const proxy = await startKafkaProxy(kafka)
  endings.push(() => proxy.close())
  return proxy
}

export async function makeTopic(log: Log, name: string, partitions = 1): Promise<string> {
  await log.admin.ensureTopics([{ name, partitions, settings: { cleanup: 'delete' } }])
  return name
}

/** A transaction that appends one value to each partition from 0 on and commits `offset` of partition 0. */
export function request(
  topic: string,
  group: string,
  offset: number,
  values: readonly string[],
): TransactionRequest {
  return {
    group: { group, generation: -1, memberId: '' },
    offsets: [{ topic, partition: 0, offset, metadata: '' }],
    appends: values.map((value, partition) => {
      const records = new RecordBatchBuilder()
      records.append(null, value, 1000)
      return { topic, partition, records }
    }),
  }
}

export interface ReadValue {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** What the partitions hold up to their last stable offsets as of now. */
export async function readValues(log: Log, topic: string, partitions = 1): Promise<ReadValue[]> {
  const places = everyPartition(topic, partitions)
  const ends = await log.admin.offsets(places)
  const reader = log.reader()
  for (const { start, ...place } of ends) reader.seek(place, start)
  const values: ReadValue[] = []
  const behind = (): boolean => ends.some((end) => (reader.position(end) ?? 0) < end.lastStableOffset)
  while (behind()) values.push(...(await pollValues(reader)))
  await reader.close()
  return values
}

export async function pollValues(reader: Reader, waitMs = 1000): Promise<ReadValue[]> {
  const values: ReadValue[] = []
  for (const fetched of await reader.poll(waitMs)) {
    const cursor = fetched.cursor()
    while (cursor.next()) {
      const { partition } = fetched
      values.push({ partition, offset: cursor.offset, value: cursor.value()?.toString() ?? '' })
    }
  }
  return values
}

/** Waits until readers see everything: no transaction is open on the partitions. */
export async function untilStable(log: Log, topic: string, partitions = 1): Promise<void> {
  const places = everyPartition(topic, partitions)
  const isOpen = async (): Promise<boolean> =>
    (await log.admin.offsets(places)).some((end) => end.lastStableOffset < end.highWatermark)
  while (await isOpen()) await systemClock.sleep(5)
}
