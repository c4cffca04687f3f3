import type { Log } from '../index.ts'
import { logSuite } from '../conformance/index.ts'
import type { LogHarness } from '../conformance/index.ts'
import { Actor, Scheduler, SimulatedBroker, SimulatedLog } from './index.ts'

async function open(): Promise<LogHarness> {
  const scheduler = new Scheduler()
  const broker = new SimulatedBroker(scheduler)
  const stop = scheduler.pump()
  const clients = new Set<Log>()
  const connect = async (): Promise<Log> => {
    const log = broker.connect()
    clients.add(log)
    return log
  }
  return {
    log: await connect(),
    connect,
    clock: scheduler.clock(new Actor('suite')),
    kill: async (client) => {
      clients.delete(client)
      if (client instanceof SimulatedLog) client.actor.alive = false
    },
    reopen: async () => {
      await Promise.all([...clients].map((client) => client.close()))
      clients.clear()
      broker.stop()
      broker.start()
      return connect()
    },
    compact: async (topic) => void broker.compact(topic),
    close: async () => {
      await Promise.all([...clients].map((client) => client.close()))
      stop()
    },
  }
}

logSuite({ name: 'simulated', open, supports: { kill: true, reopen: true, compact: true } })
