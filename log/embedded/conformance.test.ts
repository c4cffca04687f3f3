import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { afterAll } from 'vitest'
import { systemClock } from '#core'
import type { Log } from '../index.ts'
import { logSuite } from '../conformance/index.ts'
import type { LogHarness } from '../conformance/index.ts'
import { EmbeddedBroker, openEmbeddedLog, serveEmbeddedBroker } from './index.ts'

const clock = systemClock

interface Server {
  connect(): Promise<EmbeddedBroker | MessagePort>
  compact(topic: string): Promise<void>
  close(): Promise<void>
}

/**
 * Harnesses over any way to reach a broker. All tests of a suite share one broker, since opening RocksDB takes longer
 * than a test does. Clients over a port are killed by closing it.
 */
function harnesses(serve: (dir: string) => Promise<Server>): () => Promise<LogHarness> {
  let dir: string | undefined
  let server: Server | undefined
  afterAll(async () => {
    await server?.close()
    if (dir !== undefined) await rm(dir, { recursive: true })
  })
  return async () => {
    dir ??= await mkdtemp(join(tmpdir(), 'millrace-log-'))
    const path = dir
    let current = (server ??= await serve(path))
    const clients = new Map<Log, EmbeddedBroker | MessagePort>()
    const connect = async (): Promise<Log> => {
      const to = await current.connect()
      const log = await openEmbeddedLog(to, { clock })
      clients.set(log, to)
      return log
    }
    const close = async (): Promise<void> => {
      await Promise.all([...clients.keys()].map((client) => client.close()))
      clients.clear()
    }
    return {
      log: await connect(),
      connect,
      close,
      kill: async (client) => {
        const to = clients.get(client)
        if (to !== undefined && !(to instanceof EmbeddedBroker)) to.close()
      },
      reopen: async () => {
        await close()
        await current.close()
        server = current = await serve(path)
        return connect()
      },
      compact: (topic) => current.compact(topic),
    }
  }
}

function inThread(options: { readonly tailCacheBytes?: number } = {}): (dir: string) => Promise<Server> {
  return async (dir) => {
    const broker = await EmbeddedBroker.open({ dir, clock, ...options })
    return {
      connect: async () => broker,
      compact: (topic) => broker.compact(topic),
      close: () => broker.close(),
    }
  }
}

async function overPorts(dir: string): Promise<Server> {
  const broker = await EmbeddedBroker.open({ dir, clock })
  return {
    connect: async () => {
      const { port1, port2 } = new MessageChannel()
      serveEmbeddedBroker(broker, port1)
      return port2
    },
    compact: (topic) => broker.compact(topic),
    close: () => broker.close(),
  }
}

async function inWorker(dir: string): Promise<Server> {
  const worker = new Worker(new URL('./test-broker-thread.ts', import.meta.url), { workerData: dir })
  const exited = once(worker, 'exit')
  const run = async (command: object, moved: MessagePort[] = []): Promise<void> => {
    worker.postMessage(command, moved)
    await once(worker, 'message')
  }
  await once(worker, 'message')
  return {
    connect: async () => {
      const { port1, port2 } = new MessageChannel()
      await run({ serve: port1 }, [port1])
      return port2
    },
    compact: (topic) => run({ compact: topic }),
    close: async () => {
      await run({ close: true })
      await exited
    },
  }
}

logSuite({
  name: 'embedded, in its thread',
  open: harnesses(inThread()),
  supports: { reopen: true, compact: true },
})

logSuite({
  name: 'embedded, read from disk',
  open: harnesses(inThread({ tailCacheBytes: 0 })),
  supports: { reopen: true, compact: true },
})

logSuite({
  name: 'embedded, over a port',
  open: harnesses(overPorts),
  supports: { kill: true, reopen: true, compact: true },
})

logSuite({
  name: 'embedded, in a worker',
  open: harnesses(inWorker),
  supports: { kill: true, reopen: true, compact: true },
})
