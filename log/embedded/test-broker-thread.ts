/** A worker that owns a broker: the worker of conformance.test.ts. Each port it is sent is served. */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { systemClock } from '#core'
import { EmbeddedBroker, serveEmbeddedBroker } from './index.ts'

type Command = { readonly serve: MessagePort } | { readonly compact: string } | { readonly close: true }

const broker = await EmbeddedBroker.open({ dir: workerData as string, clock: systemClock })
parentPort?.on('message', (command: Command) => {
  void run(command).then(() => parentPort?.postMessage('done', []))
})
parentPort?.postMessage('done', [])

async function run(command: Command): Promise<void> {
  if ('serve' in command) serveEmbeddedBroker(broker, command.serve)
  else if ('compact' in command) await broker.compact(command.compact)
  else {
    await broker.close()
    parentPort?.unref()
  }
}
