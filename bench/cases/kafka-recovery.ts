/** How long nothing is decided after a process or a stream thread has died, ours and Kafka Streams in turn. */
import { systemClock } from '#core'
import type { ClaimStream } from '../engine/claim-stream.ts'
import { allPartitions } from '../engine/decisions.ts'
import type { Engine } from '../peers/engine.ts'
import { inTurn, measurementsOf } from '../peers/in-turn.ts'
import type { Metric, Pair } from '../peers/in-turn.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Variant } from '../runner/bench.ts'
import type { KafkaNeeds } from '../runner/servers.ts'
import { claimsOn, stoppedAfter } from './kafka-claims.ts'
import { another, kafkaBench, noInput, withEngine, withProcesses, withRun } from './kafka-runs.ts'
import type { KafkaRun } from './kafka-runs.ts'

/** The shortest session that brokers grant by default, which is ours always. */
const shortSession = {
  'main.consumer.session.timeout.ms': 6000,
  'main.consumer.heartbeat.interval.ms': 2000,
}
/** Within this a thread that was told to die has died. */
const dyingMs = 1000

/** Milliseconds from the death to the first decision of what was asked after it. */
interface Recovered {
  /** On the partition that was first. */
  readonly firstMs: number
  /** On the last of those that the dead had. */
  readonly lastMs: number
}

const recoveredMetrics = (goal: string): Metric<Recovered>[] => [
  { metric: 'death to decision', unit: 'ms', goal, value: ({ firstMs }) => firstMs },
  { metric: 'death to decisions everywhere', unit: 'ms', goal, value: ({ lastMs }) => lastMs },
]

export const kafkaRecovery: readonly Variant[] = [
  variant('recovery', {
    summary: 'kill -9 of the only process, the next starts at once; the session of the peer ends after 45 s',
    engines: { ours: millrace(), peer: kafkaStreams() },
    recover: restart,
    metrics: recoveredMetrics('ratio < 1'),
  }),
  variant('recovery-static', {
    summary: 'the same with the peer as a static member, which is its fastest',
    engines: {
      ours: millrace(),
      peer: kafkaStreams({ settings: { 'main.consumer.group.instance.id': 'peer' } }),
    },
    recover: restart,
    metrics: recoveredMetrics('ratio < 1'),
  }),
  variant('recovery-session', {
    summary: 'kill -9 of one of two processes, which does not come back; sessions of 6 s',
    engines: { ours: millrace(), peer: kafkaStreams({ settings: shortSession }) },
    needs: { gathersMembers: true },
    recover: loseProcess,
    metrics: recoveredMetrics('< 7,000, ratio < 1'),
  }),
  variant('recovery-thread', {
    summary: 'one of two stream threads ends by an error that nobody expected; sessions of 6 s',
    engines: {
      ours: millrace({ threads: 2 }),
      peer: kafkaStreams({ threads: 2, settings: shortSession }),
    },
    needs: { gathersMembers: true },
    recover: loseThread,
    metrics: [{ metric: 'longest wait for a decision', unit: 'ms', goal: 'ratio < 1', value: (ms) => ms }],
  }),
]

interface Death<T> {
  readonly summary: string
  readonly engines: Pair<Engine>
  readonly needs?: KafkaNeeds
  readonly recover: (context: Context, engine: Engine, run: KafkaRun) => Promise<T>
  readonly metrics: readonly Metric<T>[]
}

function variant<T>(name: string, { summary, engines, needs, recover, metrics }: Death<T>): Variant {
  return {
    name,
    summary,
    async measure(context) {
      const found = await inTurn(
        context,
        engines,
        async (engine, repetition) => {
          const bench = await kafkaBench(context, `${name}-${repetition}-${engine.name}`, noInput, needs)
          return withRun(bench, 'claims', (run) => recover(context, engine, run))
        },
        (one) => metrics.map(({ metric, value }) => `${metric} ${Math.round(value(one))} ms`).join(', '),
      )
      return measurementsOf(found, metrics)
    },
  }
}

function restart(context: Context, engine: Engine, run: KafkaRun): Promise<Recovered> {
  return withEngine(context, engine, run, async (first) => {
    const stream = await claimsOn(context, run)
    await first.kill()
    const recovering = recovered(stream, allPartitions)
    return withEngine(context, engine, run, (second) => stoppedAfter(recovering, stream, [second]))
  })
}

function loseProcess(context: Context, engine: Engine, run: KafkaRun): Promise<Recovered> {
  return withProcesses(context, engine, [another(run, 1), another(run, 2)], async ([lost, left]) => {
    if (lost === undefined || left === undefined) throw new TypeError('two processes were started')
    const stream = await claimsOn(context, run)
    const had = await lost.tasks()
    if (had.length === 0) throw new Error(`${engine.name}: the process that is to die has no tasks`)
    await lost.kill()
    return stoppedAfter(recovered(stream, had), stream, [left])
  })
}

/** Whose partitions the thread had, only the waits tell. */
function loseThread(context: Context, engine: Engine, run: KafkaRun): Promise<number> {
  return withEngine(context, engine, run, async (running) => {
    const stream = await claimsOn(context, run)
    const longest = async (): Promise<number> => {
      const toldAt = performance.now()
      running.loseThread()
      await systemClock.sleep(dyingMs)
      await recovered(stream, allPartitions)
      return stream.longestWait(allPartitions, toldAt)
    }
    return stoppedAfter(longest(), stream, [running])
  })
}

async function recovered(stream: ClaimStream, partitions: readonly number[]): Promise<Recovered> {
  const diedAt = performance.now()
  const decidedAt = await Promise.all(partitions.map((partition) => stream.firstDecision(partition, diedAt)))
  return { firstMs: Math.min(...decidedAt) - diedAt, lastMs: Math.max(...decidedAt) - diedAt }
}
