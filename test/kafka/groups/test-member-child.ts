/** A member in a process of its own, for a test to pause: BROKERS GROUP TOPIC. Prints what it is told. */
import { systemClock } from '#core'
import type { TopicPartition } from '#log'
import { openKafkaLog } from '#log/kafka'
import { stickyAssignor } from '../../../log/conformance/sticky-assignor.ts'

const [, , brokers = '', group = '', topic = ''] = process.argv

const print =
  (what: string) =>
  async (partitions: readonly TopicPartition[]): Promise<void> => {
    process.stdout.write(`${what} ${partitions.map(({ partition }) => partition).join(',')}\n`)
  }

const log = await openKafkaLog({ url: `kafka://${brokers}`, clock: systemClock })
await log.join({
  group,
  topics: [topic],
  assignor: stickyAssignor,
  listener: { assigned: print('assigned'), revoked: print('revoked'), lost: print('lost') },
})
