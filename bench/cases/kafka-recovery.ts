/** How long nothing is decided after kill -9 of the only process, ours and Kafka Streams in turn. */
import { systemClock } from '#core'
import { claimTopics } from '../engine/claims.ts'
import { Decisions, couponOfEach, issueCommand, openCommand } from '../engine/decisions.ts'
import type { Engine } from '../peers/engine.ts'
import { kafkaStreams } from '../peers/kafka-streams-engine.ts'
import { millrace } from '../peers/millrace.ts'
import type { Context, Measurement, Variant } from '../runner/bench.ts'
import { kafkaBench, noInput, withEngine, withRun } from './kafka-runs.ts'

/** Decided before the kill. */
const claimsBefore = 2000
/** Between two claims after it. */
const pauseMs = 5

export const kafkaRecovery: readonly Variant[] = [
  variant('recovery', 'the peer with its default settings: its session ends after 45 s', () =>
    kafkaStreams(),
  ),
  variant('recovery-static', 'the peer as a static member, which is its fastest', () =>
    kafkaStreams({ settings: { 'main.consumer.group.instance.id': 'peer' } }),
  ),
]

function variant(name: string, about: string, peer: () => Engine): Variant {
  return {
    name,
    summary: `from kill -9 to the first decision of the process that is started at once; ${about}`,
    measure: (context) => measure(context, name, peer()),
  }
}

async function measure(context: Context, name: string, peer: Engine): Promise<Measurement[]> {
  const { repetitions } = context.sizes
  const [ours, peers]: [number[], number[]] = [[], []]
  for (let repetition = 1; repetition <= repetitions; repetition++) {
    for (const [engine, found] of [
      [millrace(), ours],
      [peer, peers],
    ] as const) {
      const ms = await recover(context, engine, `${name}-${repetition}-${engine.name}`)
      found.push(ms)
      context.progress.say(`repetition ${repetition}/${repetitions}: ${engine.name} ${Math.round(ms)} ms`)
    }
  }
  return [{ metric: 'kill -9 to decision', unit: 'ms', values: ours, peerValues: peers, goal: 'ratio < 1' }]
}

/** Milliseconds. Claims go on being appended; the first one of after the kill that is decided counts. */
async function recover(context: Context, engine: Engine, name: string): Promise<number> {
  const bench = await kafkaBench(context, name, noInput)
  return withRun(bench, 'claims', async (run) => {
    const { log, spec } = run
    const decisions = new Decisions(claimTopics(spec.claims), log.reader())
    const appender = log.appender()
    const following = decisions.follow()
    try {
      let index = 0
      const killedAt = await withEngine(context, engine, run, async (running) => {
        for (const couponId of couponOfEach) await decisions.of(appender, openCommand(couponId))
        const claims = Array.from({ length: claimsBefore }, () =>
          decisions.of(appender, issueCommand(index++)),
        )
        await Promise.all(claims)
        await running.kill()
        return performance.now()
      })
      const decided: Promise<unknown>[] = []
      const over = new AbortController()
      const first = withEngine(context, engine, run, async (running) => {
        await Promise.race(decided)
        const ms = performance.now() - killedAt
        over.abort()
        await Promise.all(decided)
        await running.stop()
        return ms
      })
      do {
        decided.push(decisions.of(appender, issueCommand(index++)))
        await systemClock.sleep(pauseMs)
      } while (!over.signal.aborted)
      return await first
    } finally {
      decisions.stop()
      await following
    }
  })
}
