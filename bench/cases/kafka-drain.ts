/** How fast preloaded requests are decided on Kafka, exactly once, ours and Kafka Streams in turn. */
import { committedRecords } from '../engine/input.ts'
import type { Engine, RunningEngine } from '../peers/engine.ts'
import { inTurn, measurementsOf } from '../peers/in-turn.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { another, preloadedKafka, untilDrained, withProcesses, withRun } from './kafka-runs.ts'
import type { KafkaInput, KafkaRun } from './kafka-runs.ts'

const coupons = 100

interface Workers {
  readonly suffix: string
  readonly about: string
  readonly processes: number
  /** Of each process; undefined: one. */
  readonly threads?: number
}

const allWorkers: readonly Workers[] = [
  { suffix: '', about: '', processes: 1 },
  { suffix: '-2-threads', about: '; two stream threads', processes: 1, threads: 2 },
  { suffix: '-2-processes', about: '; two processes', processes: 2 },
]

export const kafkaDrain: readonly Variant[] = allWorkers.flatMap((workers) => [
  variant(workers, 'drain-half-issued', `${coupons} coupons, every second request wins`, (claims) => ({
    kind: 'claims',
    claims,
    coupons,
    stock: Math.floor(claims / coupons / 2),
  })),
  variant(workers, 'drain-all-issued', `${coupons} coupons, every request wins`, (claims) => ({
    kind: 'claims',
    claims,
    coupons,
    stock: claims,
  })),
  variant(workers, 'drain-hot-coupon', 'one coupon, every second request wins', (claims) => ({
    kind: 'claims',
    claims,
    coupons: 1,
    stock: Math.floor(claims / 2),
  })),
])

function variant(
  workers: Workers,
  drained: string,
  summary: string,
  input: (claims: number) => KafkaInput,
): Variant {
  const name = `${drained}${workers.suffix}`
  return {
    name,
    summary: `${summary}${workers.about}`,
    measure: (context) => measure(context, workers, name, input(context.sizes.drainRecords)),
  }
}

interface Drained {
  readonly perSecond: number
  /** Of the second half of the input: by then everything is compiled. */
  readonly warmPerSecond: number
  readonly perCpuSecond: number
  readonly peakMiB: number
}

async function measure(
  context: Context,
  { processes, threads }: Workers,
  name: string,
  input: KafkaInput,
): Promise<Measurement[]> {
  const { profileDirectory } = context
  // So that all of them have their share from the beginning.
  const bench = await preloadedKafka(context, name, input, { gathersMembers: processes * (threads ?? 1) > 1 })
  const engines = {
    ours: millrace(threads === undefined ? { profileDirectory } : { profileDirectory, threads }),
    peer: kafkaStreams(threads === undefined ? {} : { threads }),
  }
  const found = await inTurn(
    context,
    engines,
    (engine, repetition) =>
      withRun(bench, `${engine.name}-${repetition}`, (run) => drain(context, engine, run, processes)),
    ({ perSecond }) => `${Math.round(perSecond).toLocaleString('en-US')} decisions/s`,
  )
  return measurementsOf<Drained>(found, [
    { metric: 'decisions', unit: '1/s', goal: 'ratio ≥ 3', value: ({ perSecond }) => perSecond },
    {
      metric: 'decisions, second half',
      unit: '1/s',
      goal: 'ratio ≥ 3',
      value: ({ warmPerSecond }) => warmPerSecond,
    },
    {
      metric: 'decisions per CPU-second',
      unit: '1/CPU-s',
      goal: 'ratio ≥ 3',
      value: ({ perCpuSecond }) => perCpuSecond,
    },
    { metric: 'peak memory', unit: 'MiB', goal: 'ratio ≤ 0.5', value: ({ peakMiB }) => peakMiB },
  ])
}

/** From when all processes are ready until all input offsets are committed; the results are counted afterwards. */
async function drain(context: Context, engine: Engine, run: KafkaRun, processes: number): Promise<Drained> {
  const { log, workload } = run
  const { records } = workload
  const specs = Array.from({ length: processes }, (_, number) => another(run, number))
  const drained = await withProcesses(context, engine, specs, async (running) => {
    const startedAt = performance.now()
    const { cpuSeconds: cpuBefore } = usageOf(running)
    // While the last one got ready, others may have begun.
    const before = processes === 1 ? 0 : await committedRecords(log, workload)
    let half = { at: startedAt, done: 0 }
    await untilDrained(run, (done) => {
      if (half.done === 0 && done >= records / 2) half = { at: performance.now(), done }
    })
    const endedAt = performance.now()
    const { cpuSeconds, peakBytes } = usageOf(running)
    await Promise.all(running.map((one) => one.stop()))
    return {
      perSecond: (records - before) / ((endedAt - startedAt) / 1000),
      warmPerSecond: (records - half.done) / ((endedAt - half.at) / 1000),
      perCpuSecond: (records - before) / (cpuSeconds - cpuBefore),
      peakMiB: peakBytes / 2 ** 20,
    }
  })
  await workload.checkOutputs(log)
  return drained
}

/** Of all processes together. */
function usageOf(running: readonly RunningEngine[]): ReturnType<RunningEngine['usage']> {
  const all = running.map((one) => one.usage())
  return {
    cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    peakBytes: all.reduce((sum, { peakBytes }) => sum + peakBytes, 0),
  }
}
