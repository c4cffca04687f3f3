/** How fast lost state comes back from changelogs on Kafka, ours and Kafka Streams in turn. */
import { rm } from 'node:fs/promises'
import type { Engine } from '../peers/engine.ts'
import { inTurn, measurementsOf } from '../peers/in-turn.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { preloadedKafka, untilDrained, withEngine, withRun } from './kafka-runs.ts'
import type { KafkaInput, KafkaRun } from './kafka-runs.ts'

const coupons = 100

export const kafkaRestore: readonly Variant[] = [
  {
    name: 'restore',
    summary:
      'all users of all coupons, from changelogs into an empty directory; and a start with the state on disk',
    measure: (context) => {
      const { restoreRecords: users } = context.sizes
      const input = { kind: 'claims', claims: users, coupons, stock: users } as const
      return measure(context, input, 'restore', 'users restored', '≥ 1,000,000, ratio > 1')
    },
  },
  {
    name: 'restore-puts',
    summary: 'the same with entries of 100 bytes in a key-value store, one changelog record each',
    measure: (context) => {
      const { restoreRecords: records } = context.sizes
      return measure(context, { kind: 'puts', records }, 'restore-puts', 'entries restored', 'ratio ≥ 1')
    },
  },
]

interface Restored {
  /** Of restoring alone. */
  readonly perSecond: number
  /** From spawning the process until its tasks run. */
  readonly fromNothingMs: number
  readonly fromDiskMs: number
}

async function measure(
  context: Context,
  input: KafkaInput,
  name: string,
  metric: string,
  goal: string,
): Promise<Measurement[]> {
  const { restoreRecords: records } = context.sizes
  const bench = await preloadedKafka(context, name, input)
  const engines = { ours: millrace({ profileDirectory: context.profileDirectory }), peer: kafkaStreams() }
  const found = await withRun(bench, engines.ours.name, (ours) =>
    withRun(bench, engines.peer.name, async (peer) => {
      const runs = new Map([
        [engines.ours, ours],
        [engines.peer, peer],
      ])
      for (const [engine, run] of runs) await makeState(context, engine, run)
      return inTurn(
        context,
        engines,
        (engine) => restored(context, engine, runs.get(engine) as KafkaRun, records),
        ({ perSecond }) => `${Math.round(perSecond).toLocaleString('en-US')} ${metric}/s`,
      )
    }),
  )
  return measurementsOf(found, [
    { metric, unit: '1/s', goal, value: ({ perSecond }) => perSecond },
    {
      metric: 'start from nothing',
      unit: 'ms',
      goal: 'ratio < 1',
      value: ({ fromNothingMs }) => fromNothingMs,
    },
    {
      metric: 'start with state on disk',
      unit: 'ms',
      goal: '< 2,000, ratio < 1',
      value: ({ fromDiskMs }) => fromDiskMs,
    },
  ])
}

/** Also what a case needs that begins with state: its input worked off, its processes gone. */
export async function makeState(context: Context, engine: Engine, run: KafkaRun): Promise<void> {
  context.progress.say(`${engine.name} works off the input`)
  await withEngine(context, engine, run, async (running) => {
    await untilDrained(run, () => {})
    await running.stop()
  })
}

async function restored(context: Context, engine: Engine, run: KafkaRun, records: number): Promise<Restored> {
  await rm(run.spec.stateDirectory, { recursive: true })
  const nothing = await start(context, engine, run)
  const disk = await start(context, engine, run)
  return {
    perSecond: records / nothing.restoreSeconds,
    fromNothingMs: nothing.ms,
    fromDiskMs: disk.ms,
  }
}

async function start(
  context: Context,
  engine: Engine,
  run: KafkaRun,
): Promise<{ readonly ms: number; readonly restoreSeconds: number }> {
  const startedAt = performance.now()
  return withEngine(context, engine, run, async (running) => {
    const ms = performance.now() - startedAt
    const restoreSeconds = running.restoreSeconds()
    await running.stop()
    return { ms, restoreSeconds }
  })
}
