/**
 * How the parts of the program get to the log: over a port to the thread that owns the embedded one, or each by itself
 * to Kafka, where the public topics are made sure of by whoever comes first.
 */
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Metrics } from '#core'
import type { Log } from '#log'
import { openEmbeddedLog } from '#log/embedded'
import type { Settings } from '../settings.ts'
import { startFailed } from './start-failed.ts'
import { topicSpecs } from './topics.ts'
import { untilReachable } from './until-reachable.ts'
import type { Patience } from './until-reachable.ts'

/** One part's way; it travels to a thread. */
export type LogAccess =
  | { readonly kind: 'embedded'; readonly port: MessagePort }
  | { readonly kind: 'kafka'; readonly url: string }

export class LogAccesses {
  readonly #logUrl: Settings['logUrl']
  /** What the owner of the embedded log has to serve it on. */
  readonly served: MessagePort[] = []
  readonly #used: MessagePort[] = []

  constructor(logUrl: Settings['logUrl']) {
    this.#logUrl = logUrl
  }

  another(): LogAccess {
    if (this.#logUrl.kind === 'kafka') return { kind: 'kafka', url: this.#logUrl.url }
    const { port1: port, port2 } = new MessageChannel()
    this.#used.push(port)
    this.served.push(port2)
    return { kind: 'embedded', port }
  }

  close(): void {
    for (const port of this.#used) port.close()
  }
}

/** To be moved with the access to another thread. */
export function portsOf(access: LogAccess): MessagePort[] {
  return access.kind === 'embedded' ? [access.port] : []
}

/** How long one try may take to reach a broker; then it is told that Kafka is away, and tried again. */
const openTimeoutMs = 300
/** How long an append is tried: longer than a leader's move takes, and no longer than a client waits for an answer. */
const deliveryTimeoutMs = 10_000

/** Waits for a Kafka that is away. Errors: LOG_CLOSED when `patience` ends, and what has to be corrected in LOG_URL. */
export async function openLog(
  access: LogAccess,
  settings: Settings,
  patience: Patience & { readonly metrics: Metrics },
): Promise<Log> {
  const { clock, logger, signal, metrics } = patience
  if (access.kind === 'embedded') return openEmbeddedLog(access.port, { clock, logger })
  const { url } = access
  // Loading it takes a third of a second, which the embedded log need not wait for.
  const { openKafkaLog } = await import('#log/kafka')
  const open = (): Promise<Log> =>
    openKafkaLog({ url, clock, logger, metrics, openTimeoutMs, deliveryTimeoutMs, signal })
  try {
    const log = await untilReachable(open, patience)
    try {
      await untilReachable(() => log.admin.ensureTopics(topicSpecs(settings)), patience)
      return log
    } catch (error) {
      await log.close()
      throw error
    }
  } catch (error) {
    throw startFailed(error, 'LOG_URL', settings)
  }
}
