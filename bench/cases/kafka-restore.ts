/** How fast lost state comes back from changelogs on Kafka, ours and Kafka Streams in turn. */
import { rm } from 'node:fs/promises'
import type { Engine } from '../peers/engine.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { preloadedKafka, untilDrained, withEngine, withRun } from './kafka-runs.ts'
import type { KafkaRun } from './kafka-runs.ts'

const coupons = 100

export const kafkaRestore: Variant = {
  name: 'restore',
  summary:
    'all users of all coupons, from changelogs into an empty directory; and a start with the state on disk',
  measure,
}

interface Restored {
  /** Of restoring alone. */
  readonly usersPerSecond: number
  /** From spawning the process until its tasks run. */
  readonly fromNothingMs: number
  readonly fromDiskMs: number
}

async function measure(context: Context): Promise<Measurement[]> {
  const { repetitions, restoreRecords: users } = context.sizes
  const input = { kind: 'claims', claims: users, coupons, stock: users } as const
  const bench = await preloadedKafka(context, 'restore', input)
  const measured = (engine: Engine, found: Restored[]): Promise<void> =>
    withRun(bench, engine.name, async (run) => {
      context.progress.say(`${engine.name} decides them`)
      await withEngine(context, engine, run, async (running) => {
        await untilDrained(run, () => {})
        await running.stop()
      })
      for (let repetition = 1; repetition <= repetitions; repetition++) {
        await rm(run.spec.stateDirectory, { recursive: true })
        const nothing = await start(context, engine, run)
        const disk = await start(context, engine, run)
        const usersPerSecond = users / nothing.restoreSeconds
        found.push({ usersPerSecond, fromNothingMs: nothing.ms, fromDiskMs: disk.ms })
        const rate = Math.round(usersPerSecond).toLocaleString('en-US')
        context.progress.say(`repetition ${repetition}/${repetitions}: ${engine.name} ${rate} users/s`)
      }
    })
  const [ours, peers]: [Restored[], Restored[]] = [[], []]
  await measured(millrace(context.profileDirectory), ours)
  await measured(kafkaStreams(), peers)
  const row = (
    metric: string,
    unit: string,
    goal: string,
    value: (one: Restored) => number,
  ): Measurement => ({
    metric,
    unit,
    values: ours.map(value),
    peerValues: peers.map(value),
    goal,
  })
  return [
    row('users restored', '1/s', 'ratio > 1', ({ usersPerSecond }) => usersPerSecond),
    row('start from nothing', 'ms', 'ratio < 1', ({ fromNothingMs }) => fromNothingMs),
    row('start with state on disk', 'ms', 'ratio < 1', ({ fromDiskMs }) => fromDiskMs),
  ]
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
