/** The coupon topics of a log as the domain's checkers take them. */
import { commandSerde, couponTopics, resultSerde } from '#domain/coupon'
import type { CouponCommand, CouponTopics, PartitionHistory } from '#domain/coupon'
import type { Log } from '#log'
import { readTopic } from './read-topic.ts'

/** As the program names them by default. */
export const topics = couponTopics()

export async function readHistories(log: Log, of: CouponTopics): Promise<PartitionHistory[]> {
  const commands = await readTopic(log, of.issue)
  const results = await readTopic(log, of.result)
  return commands.map((records, partition) => ({
    partition,
    commands: records.map(({ offset, timestamp, key, value }) => ({
      offset,
      timestamp,
      command: key === null ? undefined : commandOf(value),
    })),
    results: (results[partition] ?? []).map(({ value }) => {
      if (value === null) throw new Error('a result is never a tombstone')
      return resultSerde.read(value, 0, value.length)
    }),
  }))
}

function commandOf(value: Buffer | null): CouponCommand | undefined {
  try {
    return value === null ? undefined : commandSerde.read(value, 0, value.length)
  } catch {
    return undefined
  }
}
