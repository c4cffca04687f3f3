/**
 * A proxy before every broker of a cluster that knows Kafka's framing, so that a test can delay, hold, swallow or cut
 * what it names by api key. Clients that bootstrap from `brokers` stay behind it: the brokers advertise the proxy's
 * ports on listeners of their own. It rewrites nothing.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { SeededRandom } from '#core'
import type { ProxiedListener } from './proxied-listeners.ts'
import { FrameSplitter, requestHeader, responseCorrelationId } from './frames.ts'
import type { RequestHeader } from './frames.ts'
import { ProxyRules } from './proxy-rules.ts'
import type { FrameMatch, PassingFrame, ProxyAction, ProxyRule } from './proxy-rules.ts'

export interface KafkaProxy {
  /** Bootstrap servers behind the proxy, `127.0.0.1:port,…`. */
  readonly brokers: string
  /** Acts on the frames that match until it is released. */
  rule(match: FrameMatch, action: ProxyAction): ProxyRule
  /** How many requests of an api key came from clients so far, swallowed ones included. */
  requests(apiKey: number): number
  /** Connections open now. */
  readonly connections: number
  /** Ends every connection; new ones are welcome. */
  cut(nodeId?: number): void
  /** Ends every connection and each new one until `restore`. */
  refuse(nodeId?: number): void
  restore(): void
  /** Ends every connection again and again, each time after an interval in [fromMs, toMs). */
  cutAtRandom(options: CutAtRandomOptions): RandomCuts
  close(): Promise<void>
}

interface CutAtRandomOptions {
  readonly seed: number
  readonly fromMs: number
  readonly toMs: number
}

interface RandomCuts {
  readonly cuts: number
  stop(): void
}

/** Errors: there is no free proxied listener (raise `proxies` of startKafka), or the brokers were not started here. */
export async function startKafkaProxy(on: {
  readonly proxied: readonly (readonly ProxiedListener[])[]
}): Promise<KafkaProxy> {
  if (on.proxied.length === 0) {
    throw new Error(
      'A proxy needs brokers that were started here: unset KAFKA_BROKERS, or start them by startKafka().',
    )
  }
  for (const listeners of on.proxied) {
    const proxy = await tryListen(listeners)
    if (proxy !== undefined) return proxy
  }
  throw new Error(`All ${on.proxied.length} proxied listeners of the brokers are taken.`)
}

/** Undefined when another proxy, maybe of another process, listens there. */
async function tryListen(listeners: readonly ProxiedListener[]): Promise<KafkaProxy | undefined> {
  const proxy = new ListeningProxy(listeners)
  try {
    await proxy.listen()
    return proxy
  } catch (error) {
    await proxy.close()
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined
    throw error
  }
}

interface Pair {
  readonly nodeId: number
  readonly near: Socket
  readonly far: Socket
  /** Requests whose responses have not passed yet. */
  readonly open: Map<number, RequestHeader>
  readonly closed: Promise<void>
  /** Requests under way that reach the broker whether the client waits for them or not. */
  late: number
}

class ListeningProxy implements KafkaProxy {
  readonly brokers: string
  readonly #listeners: readonly ProxiedListener[]
  readonly #servers: Server[] = []
  readonly #pairs = new Set<Pair>()
  readonly #rules = new ProxyRules()
  readonly #requests = new Map<number, number>()
  readonly #refused = new Set<number>()
  readonly #stopCuts = new Set<() => void>()

  constructor(listeners: readonly ProxiedListener[]) {
    this.#listeners = listeners
    this.brokers = listeners.map(({ port }) => `127.0.0.1:${port}`).join(',')
  }

  async listen(): Promise<void> {
    for (const listener of this.#listeners) {
      const server = createServer((near) => this.#accept(near, listener))
      server.listen(listener.port, '127.0.0.1')
      await once(server, 'listening')
      this.#servers.push(server)
    }
  }

  rule(match: FrameMatch, action: ProxyAction): ProxyRule {
    return this.#rules.add(match, action)
  }

  requests(apiKey: number): number {
    return this.#requests.get(apiKey) ?? 0
  }

  get connections(): number {
    return this.#pairs.size
  }

  cut(nodeId?: number): void {
    for (const pair of this.#pairs) {
      if (nodeId === undefined || pair.nodeId === nodeId) pair.near.destroy()
    }
  }

  refuse(nodeId?: number): void {
    for (const listener of this.#listeners) {
      if (nodeId === undefined || listener.nodeId === nodeId) this.#refused.add(listener.nodeId)
    }
    this.cut(nodeId)
  }

  restore(): void {
    this.#refused.clear()
  }

  cutAtRandom({ seed, fromMs, toMs }: CutAtRandomOptions): RandomCuts {
    const random = new SeededRandom(seed)
    let cuts = 0
    let timer: NodeJS.Timeout
    const later = (): void => {
      timer = setTimeout(
        () => {
          cuts++
          this.cut()
          later()
        },
        random.integer(fromMs, toMs),
      )
    }
    const stop = (): void => {
      clearTimeout(timer)
      this.#stopCuts.delete(stop)
    }
    this.#stopCuts.add(stop)
    later()
    return {
      get cuts() {
        return cuts
      },
      stop,
    }
  }

  async close(): Promise<void> {
    for (const stop of this.#stopCuts) stop()
    this.#rules.releaseAll()
    this.cut()
    await Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    )
  }

  #accept(near: Socket, { nodeId, brokerPort }: ProxiedListener): void {
    near.on('error', () => near.destroy())
    if (this.#refused.has(nodeId)) {
      near.destroy()
      return
    }
    const far = connect(brokerPort, '127.0.0.1')
    far.on('error', () => far.destroy())
    near.setNoDelay(true)
    far.setNoDelay(true)
    const end = Promise.withResolvers<void>()
    const pair: Pair = { nodeId, near, far, open: new Map(), closed: end.promise, late: 0 }
    this.#pairs.add(pair)
    const closed = (): void => {
      near.destroy()
      far.destroy()
      this.#pairs.delete(pair)
      end.resolve()
    }
    near.once('close', () => {
      if (pair.late === 0) closed()
    })
    far.once('close', closed)
    void this.#carry(pair, near, far, (bytes) => this.#asRequest(pair, bytes))
    void this.#carry(pair, far, near, (bytes) => asResponse(pair, bytes))
  }

  #asRequest(pair: Pair, bytes: Buffer): PassingFrame {
    const header = requestHeader(bytes)
    pair.open.set(header.correlationId, header)
    this.#requests.set(header.apiKey, this.requests(header.apiKey) + 1)
    return { direction: 'request', ...header, nodeId: pair.nodeId, bytes }
  }

  /** One direction of one connection, frame after frame: while one is held, the rest waits in the socket. */
  async #carry(
    pair: Pair,
    from: Socket,
    to: Socket,
    describe: (bytes: Buffer) => PassingFrame,
  ): Promise<void> {
    const splitter = new FrameSplitter()
    try {
      for await (const chunk of from) {
        for (const bytes of splitter.push(chunk as Buffer)) {
          const verdict = this.#rules.verdict(describe(bytes))
          const action = verdict?.action ?? 'pass'
          if (action === 'cut') return
          if (action === 'drop') continue
          if (action === 'hold') await Promise.race([verdict?.released, pair.closed])
          else if (action !== 'pass' && 'delayMs' in action)
            await Promise.race([sleep(action.delayMs), pair.closed])
          else if (action !== 'pass') {
            pair.late++
            await Promise.race([sleep(action.lateMs), pair.closed])
            pair.late--
          }
          if (to.destroyed) return
          if (!to.write(bytes)) await Promise.race([once(to, 'drain'), pair.closed])
        }
      }
    } catch {
      // The connection broke, as connections do; both ends are told below.
    } finally {
      pair.near.destroy()
      pair.far.destroy()
    }
  }
}

function asResponse(pair: Pair, bytes: Buffer): PassingFrame {
  const correlationId = responseCorrelationId(bytes)
  const header = pair.open.get(correlationId)
  if (header === undefined) throw new Error(`A response to no request: correlation id ${correlationId}`)
  pair.open.delete(correlationId)
  return { direction: 'response', ...header, nodeId: pair.nodeId, bytes }
}
