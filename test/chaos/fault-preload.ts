/**
 * Loaded into a processor by `NODE_OPTIONS=--import` before the program, in tests only: at SIGUSR2 one of its stream
 * threads dies, the next one each time, in the way that `THREAD_FAULT` names.
 */
import { syncBuiltinESMExports } from 'node:module'
import worker from 'node:worker_threads'

const kind = process.env['THREAD_FAULT'] ?? 'terminate'

if (worker.isMainThread) {
  const engines = new Map<string, worker.Worker>()
  class KnownWorker extends worker.Worker {
    constructor(script: string | URL, options: worker.WorkerOptions = {}) {
      super(script, options)
      const { name = '' } = options
      if (!name.startsWith('engine')) return
      engines.set(name, this)
      this.once('exit', () => {
        if (engines.get(name) === this) engines.delete(name)
      })
    }
  }
  worker.Worker = KnownWorker
  syncBuiltinESMExports()
  let turn = 0
  process.on('SIGUSR2', () => {
    const names = [...engines.keys()].toSorted()
    const name = names[turn++ % Math.max(1, names.length)]
    if (name === undefined) return
    if (kind === 'terminate') void engines.get(name)?.terminate()
    else engines.get(name)?.postMessage(kind, [])
  })
} else if (worker.threadName?.startsWith('engine') === true) {
  worker.parentPort?.on('message', die)
  // It must not keep a thread alive that ends in order.
  worker.parentPort?.unref()
}

function die(): void {
  if (kind === 'exit') process.exit(7)
  throw new Error('a fault of the test')
}
