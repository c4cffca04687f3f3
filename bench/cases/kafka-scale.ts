/** What grows with the number of tasks, and how many transactions one broker takes. */
import { systemClock } from '#core'
import { transactionsScript } from '../children/scripts.ts'
import type { Engine } from '../peers/engine.ts'
import { inTurn, measurementsOf } from '../peers/in-turn.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { ProcessFootprint } from '../peers/process-usage.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import { preloadedKafka, untilDrained, withEngine, withRun } from './kafka-runs.ts'
import type { KafkaRun } from './kafka-runs.ts'

const taskCounts = [4, 32, 128, 256] as const
const recordsOfTask = 250
/** Until what the work has left in memory is collected, or not. */
const restMs = 2000
const writerCounts = [1, 2, 4, 8, 16, 32] as const

export const kafkaScale: readonly Variant[] = [
  ...taskCounts.map((tasks) => ({
    name: `scale-${tasks}-tasks`,
    summary: `memory, files and connections of a process with ${tasks} tasks, each with a store`,
    measure: (context: Context) => measureTasks(context, tasks),
  })),
  {
    name: 'scale-transactions',
    summary: 'transactions of one record a second, by how many write at a time; no peer',
    measure: measureTransactions,
  },
]

interface Grown extends ProcessFootprint {
  /** From spawning the process, with the state on disk, until all tasks run. */
  readonly startMs: number
}

async function measureTasks(context: Context, tasks: number): Promise<Measurement[]> {
  const input = { kind: 'puts', records: tasks * recordsOfTask, partitions: tasks } as const
  const bench = await preloadedKafka(context, `scale-${tasks}-tasks`, input)
  const found = await inTurn(
    context,
    { ours: millrace(), peer: kafkaStreams() },
    (engine, repetition) =>
      withRun(bench, `${engine.name}-${repetition}`, (run) => grown(context, engine, run)),
    ({ residentBytes, startMs }) =>
      `${Math.round(residentBytes / 2 ** 20)} MiB, started in ${Math.round(startMs)} ms`,
  )
  return measurementsOf(found, [
    { metric: 'memory at rest', unit: 'MiB', value: ({ residentBytes }) => residentBytes / 2 ** 20 },
    { metric: 'open files', unit: '', value: ({ files }) => files },
    { metric: 'connections', unit: '', value: ({ connections }) => connections },
    { metric: 'start with state on disk', unit: 'ms', value: ({ startMs }) => startMs },
  ])
}

async function grown(context: Context, engine: Engine, run: KafkaRun): Promise<Grown> {
  const footprint = await withEngine(context, engine, run, async (running) => {
    await untilDrained(run, () => {})
    await systemClock.sleep(restMs)
    const atRest = running.footprint()
    await running.stop()
    return atRest
  })
  const spawnedAt = performance.now()
  return withEngine(context, engine, run, async (running) => {
    const startMs = performance.now() - spawnedAt
    await running.stop()
    return { ...footprint, startMs }
  })
}

async function measureTransactions(context: Context): Promise<Measurement[]> {
  const brokers = await context.servers.kafka()
  const { repetitions, gatewayRoundSeconds: seconds } = context.sizes
  const rates = new Map<number, number[]>()
  const cpu = new Map<number, number[]>()
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const writers of writerCounts) {
      const topic = `transactions-${writers}-${repetition}`
      const { transactions, cpuSeconds } = await runChild(
        transactionsScript,
        { brokers, topic, writers, seconds },
        context,
      )
      rates.set(writers, [...(rates.get(writers) ?? []), transactions / seconds])
      cpu.set(writers, [...(cpu.get(writers) ?? []), (1e6 * cpuSeconds) / transactions])
      context.progress.say(`${writers} at a time: ${Math.round(transactions / seconds)} a second`)
    }
  }
  return writerCounts.flatMap((writers) => [
    { metric: `${writers} at a time`, unit: '1/s', values: rates.get(writers) ?? [] },
    { metric: `${writers} at a time, CPU of the client`, unit: 'µs', values: cpu.get(writers) ?? [] },
  ])
}
