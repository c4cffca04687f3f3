import { systemClock } from '#core'
import type { Log } from '#log'
import { openKafkaLog } from '#log/kafka'
import { logSuite } from '../../log/conformance/index.ts'
import type { LogHarness } from '../../log/conformance/index.ts'
import { kafka } from '../servers/kafka/index.ts'
import { visibleLog } from './visible-log.ts'

async function open(): Promise<LogHarness> {
  const url = `kafka://${kafka().brokers}`
  const clients = new Set<Log>()
  const connect = async (): Promise<Log> => {
    const log = visibleLog(await openKafkaLog({ url, clock: systemClock }))
    clients.add(log)
    return log
  }
  const close = async (): Promise<void> => {
    await Promise.all([...clients].map((client) => client.close()))
    clients.clear()
  }
  return {
    log: await connect(),
    connect,
    close,
    // It is left alone as it is: nothing of it works in the background. It is closed with the others.
    kill: async () => undefined,
    reopen: async () => {
      await close()
      return connect()
    },
  }
}

logSuite({
  name: 'kafka',
  open,
  supports: { kill: true, reopen: true },
  skip: [
    {
      reason: 'a Kafka log knows no groups yet: each member is alone and owns everything',
      tests: [
        'gives a single member everything',
        'moves only what changes owner, and only after it was revoked',
        'does not hand a partition over before its revocation resolved',
        'revokes each partition once from a member that leaves while it is revoked',
        'lets an owner commit while it is being revoked, and not afterwards',
        'fences whoever is not a member while the group has members',
        'serves members that come and go at once',
        'refuses to delete a group with members',
        'gives the partitions of a crashed member to the others',
      ],
    },
  ],
})
