/** How fast preloaded requests are decided on Kafka, exactly once, ours and Kafka Streams in turn. */
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Engine } from '../peers/engine.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { preloadedKafka, untilDrained, withEngine, withRun } from './kafka-runs.ts'
import type { KafkaInput, KafkaRun } from './kafka-runs.ts'

const coupons = 100

export const kafkaDrain: readonly Variant[] = [
  variant('drain-half-issued', `${coupons} coupons, every second request wins`, (claims) => ({
    kind: 'claims',
    claims,
    coupons,
    stock: Math.floor(claims / coupons / 2),
  })),
  variant('drain-all-issued', `${coupons} coupons, every request wins`, (claims) => ({
    kind: 'claims',
    claims,
    coupons,
    stock: claims,
  })),
  variant('drain-hot-coupon', 'one coupon, every second request wins', (claims) => ({
    kind: 'claims',
    claims,
    coupons: 1,
    stock: Math.floor(claims / 2),
  })),
]

function variant(name: string, summary: string, input: (claims: number) => KafkaInput): Variant {
  return { name, summary, measure: (context) => measure(context, name, input(context.sizes.drainRecords)) }
}

interface Drained {
  readonly perSecond: number
  /** Of the second half of the input: by then everything is compiled. */
  readonly warmPerSecond: number
  readonly perCpuSecond: number
  readonly peakMiB: number
}

async function measure(context: Context, name: string, input: KafkaInput): Promise<Measurement[]> {
  const { repetitions } = context.sizes
  const bench = await preloadedKafka(context, name, input)
  const [ours, peers]: [Drained[], Drained[]] = [[], []]
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const [engine, found] of [
      [millrace(context.profileDirectory), ours],
      [kafkaStreams(), peers],
    ] as const) {
      const drained = await withRun(bench, `${engine.name}-${repetition}`, (run) =>
        drain(context, engine, run),
      )
      found.push(drained)
      const rate = Math.round(drained.perSecond).toLocaleString('en-US')
      context.progress.say(`repetition ${repetition}/${repetitions}: ${engine.name} ${rate} decisions/s`)
    }
  }
  const row = (metric: string, unit: string, goal: string, value: (run: Drained) => number): Measurement => ({
    metric,
    unit,
    values: ours.map(value),
    peerValues: peers.map(value),
    goal,
  })
  return [
    row('decisions', '1/s', 'ratio ≥ 3', ({ perSecond }) => perSecond),
    row('decisions, second half', '1/s', 'ratio ≥ 3', ({ warmPerSecond }) => warmPerSecond),
    row('decisions per CPU-second', '1/CPU-s', 'ratio ≥ 3', ({ perCpuSecond }) => perCpuSecond),
    row('peak memory', 'MiB', 'ratio ≤ 0.5', ({ peakMiB }) => peakMiB),
  ]
}

/** From when it is ready until all input offsets are committed; the results are counted afterwards. */
async function drain(context: Context, engine: Engine, run: KafkaRun): Promise<Drained> {
  const { log, workload } = run
  const { records } = workload
  const drained = await withEngine(context, engine, run, async (running) => {
    const { cpuSeconds: cpuBefore } = running.usage()
    const startedAt = performance.now()
    let half = { at: startedAt, done: 0 }
    await untilDrained(run, (done) => {
      if (half.done === 0 && done >= records / 2) half = { at: performance.now(), done }
    })
    const endedAt = performance.now()
    const { cpuSeconds, peakBytes } = running.usage()
    await running.stop()
    return {
      perSecond: records / ((endedAt - startedAt) / 1000),
      warmPerSecond: (records - half.done) / ((endedAt - half.at) / 1000),
      perCpuSecond: records / (cpuSeconds - cpuBefore),
      peakMiB: peakBytes / 2 ** 20,
    }
  })
  await workload.checkOutputs(log)
  return drained
}
