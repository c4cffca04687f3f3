/** One broker, one input, and engines in turn that decide it, each run an application of its own. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '#log'
import { preloadScript } from '../children/scripts.ts'
import { claimTopics } from '../engine/claims.ts'
import type { ClaimsSpec } from '../engine/claims.ts'
import { withLog } from '../engine/with-log.ts'
import { workloadOf } from '../engine/workload.ts'
import type { Workload } from '../engine/workload.ts'
import type { Engine, EngineRun, RunningEngine } from '../peers/engine.ts'
import type { Context } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'

/** Claims without the application that decides them. */
export type KafkaInput = Omit<ClaimsSpec, 'application'>

export interface KafkaRun {
  readonly log: Log
  readonly workload: Workload
  readonly engine: RunningEngine
  readonly spec: EngineRun
}

/** What the cases share: where the broker is, and the input that lies on it. */
export interface KafkaBench {
  readonly context: Context
  readonly brokers: string
  readonly input: KafkaInput
  /** Begins all names of this case's topics and groups. */
  readonly prefix: string
}

/** Starts the broker, if it is the first to need it, and puts the input there. */
export async function preloadedKafka(
  context: Context,
  { name, input }: { readonly name: string; readonly input: KafkaInput },
): Promise<KafkaBench> {
  const brokers = await context.servers.kafka()
  const bench = { context, brokers, input, prefix: `${name}-` }
  const workload = claimsOf(bench, 'input')
  context.progress.say(`preloading ${workloadOf(workload).records.toLocaleString('en-US')} records`)
  await runChild(preloadScript, { brokers, workload }, { ...context, profileDirectory: undefined })
  return bench
}

/** Runs an engine on the input for as long as `use` takes, under an application of its own. */
export async function withEngine<T>(
  bench: KafkaBench,
  engine: Engine,
  label: string,
  use: (run: KafkaRun) => Promise<T>,
): Promise<T> {
  const { context, brokers } = bench
  const claims = claimsOf(bench, label)
  const workload = workloadOf(claims)
  const stateDirectory = join(context.scope.directory, label)
  return withLog({ brokers }, async (log) => {
    await log.admin.ensureTopics(workload.topics)
    const spec = { brokers, claims, stateDirectory }
    const running = await engine.start(spec)
    context.scope.defer(() => running.kill())
    await Promise.race([running.running(), running.failed])
    const result = await Promise.race([use({ log, workload, engine: running, spec }), running.failed])
    // What it wrote would make the broker slower for those that come after.
    const { result: results, status } = claimTopics(claims)
    await log.admin.deleteTopics([results, status])
    await rm(stateDirectory, { recursive: true })
    return result
  })
}

function claimsOf({ input, prefix }: Omit<KafkaBench, 'brokers' | 'context'>, label: string): ClaimsSpec {
  return { ...input, application: { appId: `${prefix}${label}`, inputPrefix: prefix } }
}
