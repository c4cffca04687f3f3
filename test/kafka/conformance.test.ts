import { systemClock } from '#core'
import type { Log } from '#log'
import { openKafkaLog } from '#log/kafka'
import { logSuite } from '../../log/conformance/index.ts'
import type { LogHarness } from '../../log/conformance/index.ts'
import { kafka, startKafkaProxy } from '../servers/kafka/index.ts'
import { visibleLog } from './visible-log.ts'

const shared = kafka()
/** A client dies by losing its connections for good, so each that may die has a proxy of its own. */
const canKill = shared.proxied.length > 0

async function open(): Promise<LogHarness> {
  const clients = new Map<Log, (() => Promise<void>) | undefined>()
  const connectTo = async (brokers: string, onClosed?: () => Promise<void>): Promise<Log> => {
    const log = visibleLog(await openKafkaLog({ url: `kafka://${brokers}`, clock: systemClock }))
    clients.set(log, onClosed)
    return log
  }
  const close = async (): Promise<void> => {
    await Promise.all(
      [...clients].map(async ([client, closed]) => {
        await client.close()
        await closed?.()
      }),
    )
    clients.clear()
  }
  const kills = new Map<Log, () => void>()
  return {
    log: await connectTo(shared.brokers),
    connect: async () => {
      const proxy = canKill && kills.size === 0 ? await startKafkaProxy(shared) : undefined
      if (proxy === undefined) return connectTo(shared.brokers)
      const log = await connectTo(proxy.brokers, () => proxy.close())
      kills.set(log, () => proxy.refuse())
      return log
    },
    close,
    kill: async (client) => kills.get(client)?.(),
    reopen: async () => {
      await close()
      return connectTo(shared.brokers)
    },
  }
}

logSuite({ name: 'kafka', open, supports: { kill: canKill, reopen: true } })
