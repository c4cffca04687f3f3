/**
 * What task directories hold, known to every stream thread of a process: one thread keeps it on disk, each of the
 * others has a copy and hears what the others note. A hint for the assignor, so a moment's delay does no harm.
 */
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { TaskPositions } from './process-id.ts'

/** One thread's part; it travels to that thread, `port` in the transfer list. */
export interface PositionsShare {
  readonly known: ReadonlyMap<string, number>
  readonly port: MessagePort
}

type News =
  | { readonly kind: 'noted'; readonly positions: ReadonlyMap<string, number> }
  | { readonly kind: 'forgotten'; readonly task: string }

/** The side that has them on disk. */
export class SharedPositions {
  readonly #positions: TaskPositions
  readonly #onFailed: (error: unknown) => void
  readonly #ports = new Set<MessagePort>()

  /** @param onFailed hears what the disk says to a note */
  constructor(positions: TaskPositions, onFailed: (error: unknown) => void) {
    this.#positions = positions
    this.#onFailed = onFailed
  }

  /** For one more thread, until that ends. */
  another(): PositionsShare {
    const { port1: own, port2: port } = new MessageChannel()
    this.#ports.add(own)
    own.once('close', () => this.#ports.delete(own))
    own.on('message', (news: News) => this.#heard(own, news))
    own.unref()
    return { known: new Map(this.#positions.all()), port }
  }

  close(): void {
    for (const port of this.#ports) port.close()
  }

  #heard(from: MessagePort, news: News): void {
    try {
      apply(news, this.#positions)
    } catch (error) {
      this.#onFailed(error)
    }
    for (const port of this.#ports) if (port !== from) port.postMessage(news)
  }
}

/** The other side, in a thread of its own. */
export function connectPositions({ known, port }: PositionsShare): TaskPositions {
  const copy = new Map(known)
  const local: TaskPositions = {
    all: () => copy,
    note(positions) {
      for (const [task, position] of positions) copy.set(task, position)
    },
    forget: (task) => void copy.delete(task),
  }
  port.on('message', (news: News) => apply(news, local))
  // It must not keep a thread alive that has nothing else to do.
  port.unref()
  return {
    all: () => copy,
    note(positions) {
      const changed = new Map([...positions].filter(([task, position]) => copy.get(task) !== position))
      if (changed.size === 0) return
      local.note(changed)
      port.postMessage({ kind: 'noted', positions: changed } satisfies News)
    },
    forget(task) {
      if (copy.delete(task)) port.postMessage({ kind: 'forgotten', task } satisfies News)
    },
  }
}

function apply(news: News, positions: TaskPositions): void {
  if (news.kind === 'noted') positions.note(news.positions)
  else positions.forget(news.task)
}
