/** The coupon topology in Kafka Streams, as a process that is started, asked and ended. See kafka-streams/README.md. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { CouponTopics } from '#domain/coupon'
import { kafkaStreamsBuild } from './kafka-streams-build.ts'
import { processFootprint, processUsage } from './process-usage.ts'
import type { ProcessFootprint, ProcessUsage } from './process-usage.ts'

export interface KafkaStreamsOptions {
  /** `host:port,…`. */
  readonly brokers: string
  /** Group, prefix of the changelogs, and of the transactional ids. */
  readonly applicationId: string
  /** Kept after the process has ended; another one restores from nothing. */
  readonly stateDirectory: string
  /** Deciding claims, or putting the records of a topic into a store. Topics must exist, with equal partition counts. */
  readonly work: Pick<CouponTopics, 'issue' | 'result' | 'status'> | { readonly puts: string }
  /** 1 by default. */
  readonly threads?: number
  /** 100 by default, as Kafka Streams has it with exactly_once_v2. */
  readonly commitIntervalMs?: number
  /** More settings of Kafka Streams by their names, also `main.consumer.…` and `producer.…`. */
  readonly settings?: Readonly<Record<string, string | number>>
}

/**
 * - `started`: the JVM is up.
 * - `state`: `state` is Kafka Streams' own; `RUNNING` comes after every store is restored.
 * - `restore-start`, `restore-end`: one of each a store and partition.
 * - `first-decision`: the first record of this process is decided, not yet committed.
 */
interface PeerEvent {
  /** ms since the Unix epoch. */
  readonly at: number
  readonly event:
    | 'started'
    | 'state'
    | 'restore-start'
    | 'restore-end'
    | 'first-decision'
    | 'count'
    | 'tasks'
    | 'stopped'
  readonly state?: string
  readonly processed?: number
  /** Of `tasks`. */
  readonly partitions?: readonly number[]
  readonly store?: string
  readonly partition?: number
  /** Of a `restore-end`. */
  readonly records?: number
}

export interface KafkaStreamsPeer {
  /** ms since the Unix epoch, before the JVM. */
  readonly spawnedAt: number
  /** What it has said so far, oldest first. */
  readonly events: readonly PeerEvent[]
  /** The first event that matches, said already or to come. Rejects with what it printed when it ends before that. */
  until(matches: (event: PeerEvent) => boolean): Promise<PeerEvent>
  /** Never resolves; rejects with what it printed once it has ended, for whatever reason. */
  readonly ended: Promise<never>
  /** Resolves when it is up and every store restored. */
  running(): Promise<PeerEvent>
  /** Records decided so far, some of them maybe not committed. */
  processed(): Promise<number>
  /** Partitions of the input whose tasks it has and works on, ascending. */
  tasks(): Promise<readonly number[]>
  /** The next record of one stream thread throws; that thread is replaced. */
  loseThread(): void
  usage(): ProcessUsage
  footprint(): ProcessFootprint
  /** Commits what is open and leaves. Resolves with the records decided in all, once the process has ended. */
  stop(): Promise<number>
  /** kill -9. */
  kill(): Promise<void>
}

const heap = '1g'
const printedCharactersMax = 16 * 1024

/** Starts it, built first if need be; `running()` tells when it works. It ends with this process, however that ends. */
export async function startKafkaStreams(options: KafkaStreamsOptions): Promise<KafkaStreamsPeer> {
  const { java, classpath } = await kafkaStreamsBuild()
  const spawnedAt = Date.now()
  const child = spawn(
    java,
    [
      `-Xms${heap}`,
      `-Xmx${heap}`,
      '-XX:+UseSerialGC',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      classpath,
      'millrace.peer.Main',
      ...Object.entries(settingsOf(options)).map(([name, value]) => `${name}=${value}`),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const { pid } = child
  const ended = once(child, 'close')
  if (pid === undefined) throw new Error('java did not start', { cause: (await ended)[0] })
  let printed = ''
  child.stderr.on('data', (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-printedCharactersMax)
  })
  // It may be gone before it reads.
  child.stdin.on('error', () => {})

  const events: PeerEvent[] = []
  const listeners = new Set<(event: PeerEvent) => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as PeerEvent
    // These are asked for again and again.
    if (event.event !== 'count' && event.event !== 'tasks') events.push(event)
    for (const listener of listeners) listener(event)
  })

  const death = ended.then((): never => {
    throw new Error(`Kafka Streams has ended:\n${printed}`)
  })
  death.catch(() => {})

  const next = (matches: (event: PeerEvent) => boolean): Promise<PeerEvent> => {
    const { promise, resolve, reject } = Promise.withResolvers<PeerEvent>()
    const listener = (event: PeerEvent): void => {
      if (!matches(event)) return
      listeners.delete(listener)
      resolve(event)
    }
    listeners.add(listener)
    death.catch(reject)
    return promise
  }
  const until = (matches: (event: PeerEvent) => boolean): Promise<PeerEvent> => {
    const said = events.find(matches)
    return said === undefined ? next(matches) : Promise.resolve(said)
  }
  const answerTo = (question: 'count' | 'tasks'): Promise<PeerEvent> => {
    const answer = next(({ event }) => event === question)
    child.stdin.write(`${question}\n`)
    return answer
  }
  return {
    spawnedAt,
    events,
    ended: death,
    until,
    running: () => until(({ state }) => state === 'RUNNING'),
    async processed() {
      return (await answerTo('count')).processed ?? 0
    },
    async tasks() {
      return (await answerTo('tasks')).partitions ?? []
    },
    loseThread: () => void child.stdin.write('lose-thread\n'),
    usage: () => processUsage(pid),
    footprint: () => processFootprint(pid),
    async stop() {
      child.stdin.end('stop\n')
      const { processed = 0 } = await until(({ event }) => event === 'stopped')
      await ended
      return processed
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

function settingsOf(options: KafkaStreamsOptions): Record<string, string | number> {
  const { brokers, applicationId, stateDirectory, work, threads = 1, commitIntervalMs = 100 } = options
  return {
    'bootstrap.servers': brokers,
    'application.id': applicationId,
    'state.dir': stateDirectory,
    'num.stream.threads': threads,
    'commit.interval.ms': commitIntervalMs,
    ...('puts' in work
      ? { 'peer.topic.puts': work.puts }
      : {
          'peer.topic.issue': work.issue,
          'peer.topic.result': work.result,
          'peer.topic.status': work.status,
        }),
    ...options.settings,
  }
}
