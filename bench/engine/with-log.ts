/** The log that a measured process works on: embedded, in this thread as the engine's thread has it, or on Kafka. */
import { systemClock } from '#core'
import type { Log } from '#log'
import { EmbeddedBroker, openEmbeddedLog } from '#log/embedded'
import { openKafkaLog } from '#log/kafka'
import { logDirectoryOf } from './data-directory.ts'

/** The embedded log of a data directory, or the log on these brokers (`host:port,…`). */
export type LogPlace = { readonly directory: string } | { readonly brokers: string }

/** Opens the log for as long as `use` runs. */
export async function withLog<T>(place: LogPlace, use: (log: Log) => Promise<T>): Promise<T> {
  const opened = await openLog(place)
  try {
    return await use(opened.log)
  } finally {
    await opened.close()
  }
}

interface OpenLog {
  readonly log: Log
  readonly close: () => Promise<void>
}

/** The same for who closes it by himself. */
export async function openLog(place: LogPlace): Promise<OpenLog> {
  if ('brokers' in place) {
    const log = await openKafkaLog({ url: `kafka://${place.brokers}`, clock: systemClock })
    return { log, close: () => log.close() }
  }
  const broker = await EmbeddedBroker.open({ dir: logDirectoryOf(place.directory), clock: systemClock })
  try {
    const log = await openEmbeddedLog(broker, { clock: systemClock })
    return {
      log,
      async close() {
        await log.close()
        await broker.close()
      },
    }
  } catch (error) {
    await broker.close()
    throw error
  }
}
