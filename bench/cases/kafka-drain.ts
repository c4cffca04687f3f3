/** How fast preloaded requests are decided on Kafka, exactly once, ours and Kafka Streams in turn. */
import { systemClock } from '#core'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { preloadedKafka, withEngine } from './kafka-runs.ts'
import type { KafkaInput, KafkaRun } from './kafka-runs.ts'

const coupons = 100
const pollMs = 20

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
  const bench = await preloadedKafka(context, { name, input })
  const engines = [millrace(context.profileDirectory), kafkaStreams()]
  const drained = engines.map((): Drained[] => [])
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const [index, engine] of engines.entries()) {
      const found = await withEngine(bench, engine, `${engine.name}-${repetition}`, drain)
      drained[index]?.push(found)
      const rate = Math.round(found.perSecond).toLocaleString('en-US')
      context.progress.say(`repetition ${repetition}/${repetitions}: ${engine.name} ${rate} decisions/s`)
    }
  }
  const [ours = [], peers = []] = drained
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
async function drain({ log, workload, engine }: KafkaRun): Promise<Drained> {
  const { appId, inputTopic, topics, records } = workload
  const count = topics.find(({ name }) => name === inputTopic)?.partitions ?? 0
  const inputs = Array.from({ length: count }, (_, partition) => ({ topic: inputTopic, partition }))
  const { cpuSeconds: cpuBefore } = engine.usage()
  const startedAt = performance.now()
  let half: { readonly at: number; readonly done: number } | undefined
  for (let done = 0; done < records;) {
    await systemClock.sleep(pollMs)
    const committed = await log.admin.committedOffsets(appId, inputs, { requireStable: false })
    done = committed.reduce((sum, { offset = 0 }) => sum + offset, 0)
    if (half === undefined && done >= records / 2) half = { at: performance.now(), done }
  }
  const endedAt = performance.now()
  const { cpuSeconds, peakBytes } = engine.usage()
  await engine.stop()
  await workload.checkOutputs(log)
  const { at: halfAt, done: halfDone } = half ?? { at: startedAt, done: 0 }
  return {
    perSecond: records / ((endedAt - startedAt) / 1000),
    warmPerSecond: (records - halfDone) / ((endedAt - halfAt) / 1000),
    perCpuSecond: records / (cpuSeconds - cpuBefore),
    peakMiB: peakBytes / 2 ** 20,
  }
}
