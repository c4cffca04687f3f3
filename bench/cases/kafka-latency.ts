/** How long a decision takes on Kafka at a steady rate, ours and Kafka Streams in turn. */
import { kafkaLatencyScript } from '../children/scripts.ts'
import type { Engine } from '../peers/engine.ts'
import { inTurn, measurementsOf } from '../peers/in-turn.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import { percentile } from '../runner/statistics.ts'
import { claimsOf, kafkaBench, noInput, withEngine, withRun } from './kafka-runs.ts'

/** Longer than elsewhere: Java needs it. */
const warmupSeconds = 5
const percentiles = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const

export const kafkaLatency: readonly Variant[] = [
  variant('latency', 100, 'ratio ≤ 0.1'),
  variant('latency-10ms', 10, 'ratio ≤ 0.56'),
  variant('latency-5ms', 5, 'ratio ≤ 0.56'),
]

function variant(name: string, commitIntervalMs: number, goal: string): Variant {
  return {
    name,
    summary: `from the append's acknowledgement to its committed result; the peer commits every ${commitIntervalMs} ms`,
    measure: (context) => measure(context, name, commitIntervalMs, goal),
  }
}

async function measure(
  context: Context,
  name: string,
  commitIntervalMs: number,
  goal: string,
): Promise<Measurement[]> {
  const engines = {
    ours: millrace({ profileDirectory: context.profileDirectory }),
    peer: kafkaStreams({ commitIntervalMs }),
  }
  // A broker started a moment ago is still being compiled, and whoever comes first would pay for it.
  context.progress.say('a round that warms up the broker')
  for (const engine of [engines.ours, engines.peer]) await timesOf(context, engine, `${name}-warm-up`)
  const found = await inTurn(
    context,
    engines,
    (engine, repetition) => timesOf(context, engine, `${name}-${repetition}`),
    (times) =>
      percentiles.map(([label, share]) => `${label} ${percentile(times, share).toFixed(1)} ms`).join(', '),
  )
  return measurementsOf(
    found,
    percentiles.map(([metric, share]) => ({
      metric,
      unit: 'ms',
      goal: metric === 'p50' ? goal : 'ratio < 1',
      value: (times) => percentile(times, share),
    })),
  )
}

/** Ascending. Each run has an input of its own, so that none begins with what another left. */
async function timesOf(context: Context, engine: Engine, name: string): Promise<number[]> {
  const { latencyPerSecond: perSecond, latencySeconds: seconds } = context.sizes
  const bench = await kafkaBench(context, `${name}-${engine.name}`, noInput)
  return withRun(bench, 'claims', (run) =>
    withEngine(context, engine, run, async (running) => {
      const { brokers } = run.spec
      const claims = claimsOf(run)
      const schedule = { perSecond, seconds, warmupSeconds }
      const unprofiled = { ...context, profileDirectory: undefined }
      const { decisionMs } = await runChild(kafkaLatencyScript, { brokers, claims, schedule }, unprofiled)
      await running.stop()
      return decisionMs.toSorted((a, b) => a - b)
    }),
  )
}
