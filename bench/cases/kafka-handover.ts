/** What a second process costs and brings: how soon it has its half, and how long claims wait while tasks move. */
import { systemClock } from '#core'
import type { Engine, RunningEngine } from '../peers/engine.ts'
import { inTurn, measurementsOf } from '../peers/in-turn.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import type { KafkaStreamsOptions } from '../peers/kafka-streams.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import type { Sizes } from '../runner/sizes.ts'
import { allPartitions } from '../engine/decisions.ts'
import { claimsOn, stoppedAfter } from './kafka-claims.ts'
import { makeState } from './kafka-restore.ts'
import { another, noInput, preloadedKafka, withProcesses, withRun } from './kafka-runs.ts'
import type { KafkaInput, KafkaRun } from './kafka-runs.ts'

const coupons = 100
/** Of commits: the peer's default of 100 ms would be most of its pause. */
const commitIntervalMs = 10
const pollMs = 10
/** Until what a move has delayed is decided. */
const settledMs = 500

export const kafkaHandover: readonly Variant[] = [
  variant('handover', {
    summary: 'a second process comes and goes in order; little state',
    inputOf: () => noInput,
  }),
  variant('scale-out', {
    summary: 'the same with the users of all coupons; the peer looks every minute whether a copy is warm',
    inputOf: ({ restoreRecords }) => usersOf(restoreRecords),
    settings: { 'probing.rebalance.interval.ms': 60_000 },
  }),
  variant('scale-out-cold', {
    summary: 'the same with the peer handing tasks over at once, and restoring them where they have gone',
    inputOf: ({ restoreRecords }) => usersOf(restoreRecords),
    settings: { 'acceptable.recovery.lag': `${Number.MAX_SAFE_INTEGER}` },
  }),
]

interface HandoverCase {
  readonly summary: string
  readonly inputOf: (sizes: Sizes) => KafkaInput
  /** Of the peer. */
  readonly settings?: KafkaStreamsOptions['settings']
}

interface HandedOver {
  /** From spawning the second process until both work on their halves. */
  readonly halfMs: number
  /** Longest wait for a decision on what the second process got, from its spawn on. */
  readonly gainedMs: number
  /** The same of what the first process kept. */
  readonly keptMs: number
  /** On what the second process had, from when it was told to stop. */
  readonly givenBackMs: number
}

function usersOf(users: number): KafkaInput {
  return { kind: 'claims', claims: users, coupons, stock: users }
}

function variant(name: string, { summary, inputOf, settings = {} }: HandoverCase): Variant {
  return { name, summary, measure }

  async function measure(context: Context): Promise<Measurement[]> {
    const engines = { ours: millrace(), peer: kafkaStreams({ commitIntervalMs, settings }) }
    const found = await inTurn(
      context,
      engines,
      async (engine, repetition) => {
        // Of its own: claims are added to it.
        const input = inputOf(context.sizes)
        const bench = await preloadedKafka(context, `${name}-${repetition}-${engine.name}`, input)
        return withRun(bench, 'claims', (run) => handOver(context, engine, run))
      },
      ({ halfMs, gainedMs, keptMs, givenBackMs }) =>
        `its half after ${ms(halfMs)}, longest wait ${ms(gainedMs)} (${ms(keptMs)} for what stays), and back ${ms(givenBackMs)}`,
    )
    return measurementsOf(found, [
      { metric: 'second process has its half', unit: 'ms', goal: 'ratio < 1', value: ({ halfMs }) => halfMs },
      {
        metric: 'longest wait, moving there',
        unit: 'ms',
        goal: '< 500, ratio < 1',
        value: ({ gainedMs }) => gainedMs,
      },
      { metric: 'longest wait, staying', unit: 'ms', goal: 'ratio < 1', value: ({ keptMs }) => keptMs },
      {
        metric: 'longest wait, moving back',
        unit: 'ms',
        goal: '< 500, ratio < 1',
        value: ({ givenBackMs }) => givenBackMs,
      },
    ])
  }
}

async function handOver(context: Context, engine: Engine, run: KafkaRun): Promise<HandedOver> {
  if (run.workload.records > 0) await makeState(context, engine, run)
  return withProcesses(context, engine, [run.spec], async ([first]) => {
    if (first === undefined) throw new TypeError('a process was started')
    const stream = await claimsOn(context, run)
    const moved = async (): Promise<HandedOver> => {
      const spawnedAt = performance.now()
      return withProcesses(context, engine, [another(run, 2)], async ([second]) => {
        if (second === undefined) throw new TypeError('a process was started')
        const half = allPartitions.length / 2
        await untilTasks(first, half)
        await untilTasks(second, half)
        const halfMs = performance.now() - spawnedAt
        const gained = await second.tasks()
        await systemClock.sleep(settledMs)
        const gainedMs = stream.longestWait(gained, spawnedAt)
        const kept = allPartitions.filter((partition) => !gained.includes(partition))
        const keptMs = stream.longestWait(kept, spawnedAt)
        const stoppedAt = performance.now()
        await second.stop()
        await untilTasks(first, allPartitions.length)
        await systemClock.sleep(settledMs)
        return { halfMs, gainedMs, keptMs, givenBackMs: stream.longestWait(gained, stoppedAt) }
      })
    }
    return stoppedAfter(moved(), stream, [first])
  })
}

async function untilTasks(running: RunningEngine, count: number): Promise<void> {
  while ((await running.tasks()).length !== count) await systemClock.sleep(pollMs)
}

function ms(value: number): string {
  return `${Math.round(value).toLocaleString('en-US')} ms`
}
