/** What chaos does to a fleet of processors and its Kafka. Each fault ends by itself, and leaves nothing behind. */
import type { SeededRandom } from '#core'
import { systemClock } from '#core'
import { apiKeys } from '../servers/kafka/proxy-rules.ts'
import type { KafkaCluster } from '../servers/kafka/cluster.ts'
import type { KafkaProxy } from '../servers/kafka/proxy.ts'
import { kafkaTools } from '../servers/kafka/tools.ts'
import type { System } from '../system/system.ts'
import { send } from './processors.ts'
import type { Processor, Processors } from './processors.ts'

export interface FaultContext {
  readonly random: SeededRandom
  readonly system: System
  readonly processors: Processors
  /** Processors when nothing is wrong. */
  readonly processes: number
  readonly cluster: KafkaCluster
  /** Before the brokers, for the processors. */
  readonly proxy: KafkaProxy
  /** Whose leaders move. */
  readonly topics: readonly string[]
  /** Resolves once a processor of that name is ready, however often it takes. */
  readonly start: (name: string) => Promise<void>
  readonly tell: (line: string) => void
  /** Whether there is anybody to commit with; nobody can be blamed for a standstill meanwhile. */
  readonly hasBroker: (there: boolean) => void
}

export interface Fault {
  readonly kind: string
  readonly weight: number
  /** The brokers are harmed: it waits for the others to end, and they for it. */
  readonly onBrokers?: boolean
  readonly brokersMin?: number
  /**
   * Undefined: not possible now. What it decides by chance, it decides at once.
   * @param free that no other fault is at
   * @param taken the names of those that one is at: they may be down, and come back
   */
  readonly begin: (
    context: FaultContext,
    free: readonly Processor[],
    taken: ReadonlySet<string>,
  ) => Begun | undefined
}

interface Begun {
  readonly what: string
  /** Nobody else may harm it meanwhile. */
  readonly victim?: Processor
  readonly run: () => Promise<void>
}

/** Longer than a session, which is 6 s. */
const pauseMs = [7000, 9000] as const

export const faults: readonly Fault[] = [
  {
    kind: 'kill -9',
    weight: 4,
    begin({ random, processors, start }, free) {
      if (free.length === 0) return undefined
      const victim = random.pick(free)
      const awayMs = random.integer(0, 3000)
      return {
        victim,
        what: `${victim.name}, back after ${awayMs} ms`,
        async run() {
          await processors.kill(victim)
          await systemClock.sleep(awayMs)
          await start(victim.name)
        },
      }
    },
  },
  {
    kind: 'pause',
    weight: 2,
    begin({ random }, free) {
      if (free.length < 2) return undefined
      const victim = random.pick(free)
      const ms = random.integer(...pauseMs)
      return {
        victim,
        what: `${victim.name} for ${ms} ms`,
        async run() {
          send(victim, 'SIGSTOP')
          await systemClock.sleep(ms)
          send(victim, 'SIGCONT')
        },
      }
    },
  },
  {
    kind: 'thread death',
    weight: 2,
    begin({ random }, free) {
      if (free.length === 0) return undefined
      const victim = random.pick(free)
      return { victim, what: `in ${victim.name}`, run: async () => send(victim, 'SIGUSR2') }
    },
  },
  {
    kind: 'add',
    weight: 2,
    begin({ processors, processes, start }, _free, taken) {
      const names = new Set([...taken, ...processors.running.map(({ name }) => name)])
      const name = Array.from({ length: processes + 2 }, (_, at) => `processor-${at}`).find(
        (one) => !names.has(one),
      )
      if (name === undefined || names.size >= processes + 2) return undefined
      return { what: name, run: () => start(name) }
    },
  },
  {
    kind: 'remove',
    weight: 2,
    begin({ random, processors, processes }, free) {
      if (free.length < 2 || processors.running.length < processes) return undefined
      const victim = random.pick(free)
      return {
        victim,
        what: victim.name,
        async run() {
          const code = await processors.stop(victim)
          if (code !== 0) throw new Error(`${victim.name} ended with ${code} when it was told to stop`)
        },
      }
    },
  },
  {
    kind: 'gateway or sink killed',
    weight: 1,
    begin({ random, system }) {
      const kind = random.pick(['gateway', 'sink'] as const)
      const awayMs = random.integer(0, 2000)
      return {
        what: `${kind}, back after ${awayMs} ms`,
        async run() {
          await system.killOnly(kind)
          await systemClock.sleep(awayMs)
          await system.start({}, [kind])
        },
      }
    },
  },
  {
    kind: 'connections cut',
    weight: 3,
    begin({ random, proxy }) {
      const forMs = random.integer(1000, 5000)
      const seed = random.integer(0, 1 << 30)
      return {
        what: `again and again for ${forMs} ms`,
        async run() {
          const cuts = proxy.cutAtRandom({ seed, fromMs: 200, toMs: 1000 })
          await systemClock.sleep(forMs)
          cuts.stop()
        },
      }
    },
  },
  {
    kind: 'EndTxn late',
    weight: 3,
    begin({ random, proxy }) {
      const delayMs = random.integer(100, 4000)
      const forMs = random.integer(2000, 6000)
      return {
        what: `by ${delayMs} ms, for ${forMs} ms`,
        async run() {
          const rule = proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, { lateMs: delayMs })
          await systemClock.sleep(forMs)
          rule.release()
        },
      }
    },
  },
  {
    kind: 'broker restart',
    weight: 2,
    onBrokers: true,
    begin({ random, cluster, hasBroker }) {
      const node = random.pick(cluster.nodes)
      const how = random.pick(['stop', 'kill'] as const)
      return {
        what: `broker ${node.id} by ${how === 'stop' ? 'SIGTERM' : 'kill -9'}`,
        async run() {
          const isOnly = cluster.nodes.length === 1
          if (isOnly) hasBroker(false)
          await node[how]()
          await node.start()
          if (isOnly) hasBroker(true)
        },
      }
    },
  },
  {
    kind: 'leader moved',
    weight: 3,
    onBrokers: true,
    brokersMin: 3,
    begin({ random, cluster, topics }) {
      const topic = random.pick(topics)
      const partition = random.integer(0, 4)
      return {
        what: `${topic}-${partition}`,
        run: async () => void (await kafkaTools(cluster.brokers).moveLeader(topic, partition)),
      }
    },
  },
]
