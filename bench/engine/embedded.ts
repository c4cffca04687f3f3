/** The embedded log in this thread, as the engine's thread has it. */
import { join } from 'node:path'
import { systemClock } from '#core'
import type { Log } from '#log'
import { EmbeddedBroker, openEmbeddedLog } from '#log/embedded'

/** Where the log of a data directory is. */
export function logDirectoryOf(directory: string): string {
  return join(directory, 'log')
}

/** Where its state is. */
export function stateDirectoryOf(directory: string): string {
  return join(directory, 'state')
}

/** Opens the log of a data directory for as long as `use` runs. */
export async function withLog<T>(directory: string, use: (log: Log) => Promise<T>): Promise<T> {
  const broker = await EmbeddedBroker.open({ dir: logDirectoryOf(directory), clock: systemClock })
  try {
    const log = await openEmbeddedLog(broker, { clock: systemClock })
    try {
      return await use(log)
    } finally {
      await log.close()
    }
  } finally {
    await broker.close()
  }
}
