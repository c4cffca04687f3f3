/** Where a system's log is: the settings that lead the program there, and a way in for the checkers. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '#core'
import { couponTopics } from '#domain/coupon'
import type { CouponTopics } from '#domain/coupon'
import type { Log } from '#log'
import { EmbeddedBroker, openEmbeddedLog } from '#log/embedded'
import type { ProgramEnvironment } from '../../cli/demo/program.ts'
import { kafka } from '../servers/kafka/index.ts'

export type LogKind = 'embedded' | 'kafka'

export interface LogPlace {
  readonly topics: CouponTopics
  readonly appId: string
  readonly environment: ProgramEnvironment
  /** Whether others may read it while the program runs. The embedded one belongs to whoever has it open. */
  readonly isShared: boolean
  /** Opens the log for as long as `use` runs. One that is not shared is free for it only while no program runs. */
  withLog<T>(use: (log: Log) => Promise<T>): Promise<T>
}

/** A log of its own below `directory`. */
export function embeddedPlace(directory: string): LogPlace {
  const appId = 'coupon'
  return {
    appId,
    topics: couponTopics(),
    environment: { APP_ID: appId },
    isShared: false,
    async withLog(use) {
      const broker = await EmbeddedBroker.open({ dir: join(directory, 'log'), clock: systemClock })
      try {
        return await using(await openEmbeddedLog(broker, { clock: systemClock }), use)
      } finally {
        await broker.close()
      }
    },
  }
}

/** Topics and a group of its own on a Kafka that others use too. @param brokers the run's Kafka by default */
export function kafkaPlace(brokers = kafka().brokers): LogPlace {
  const prefix = `t-${randomBytes(4).toString('hex')}-`
  const appId = `${prefix}app`
  const url = `kafka://${brokers}`
  return {
    appId,
    topics: couponTopics({ prefix }),
    environment: { APP_ID: appId, TOPIC_PREFIX: prefix, LOG_URL: url },
    isShared: true,
    async withLog(use) {
      const { openKafkaLog } = await import('#log/kafka')
      return using(await openKafkaLog({ url, clock: systemClock }), use)
    },
  }
}

async function using<T>(log: Log, use: (log: Log) => Promise<T>): Promise<T> {
  try {
    return await use(log)
  } finally {
    await log.close()
  }
}
