/** One broker, one input, and engines in turn that decide it, each run an application of its own. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#core'
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

/** Of cases whose claims come while they are measured. */
export const noInput: KafkaInput = { kind: 'claims', claims: 0, coupons: 0, stock: 0 }

/** An application on the broker: what it is given, and how to look at it from outside. */
export interface KafkaRun {
  readonly log: Log
  readonly workload: Workload
  readonly spec: EngineRun
}

/** What the runs of a case share: where the broker is, and the input that lies on it. */
export interface KafkaBench {
  readonly context: Context
  readonly brokers: string
  readonly input: KafkaInput
  /** Begins all names of these runs' topics and groups. */
  readonly prefix: string
}

/** Starts the broker, if it is the first to need it. */
export async function kafkaBench(context: Context, name: string, input: KafkaInput): Promise<KafkaBench> {
  return { context, brokers: await context.servers.kafka(), input, prefix: `${name}-` }
}

/** The same with the input on the broker. */
export async function preloadedKafka(context: Context, name: string, input: KafkaInput): Promise<KafkaBench> {
  const bench = await kafkaBench(context, name, input)
  const workload = claimsOf(bench, 'input')
  const records = workloadOf(workload).records.toLocaleString('en-US')
  context.progress.say(`preloading ${records} records`)
  const { brokers } = bench
  await runChild(preloadScript, { brokers, workload }, { ...context, profileDirectory: undefined })
  return bench
}

/** Makes an application's topics, and deletes what it wrote after `use`: others would find the broker slower. */
export function withRun<T>(bench: KafkaBench, label: string, use: (run: KafkaRun) => Promise<T>): Promise<T> {
  const { context, brokers } = bench
  const claims = claimsOf(bench, label)
  const workload = workloadOf(claims)
  const stateDirectory = join(context.scope.directory, label)
  return withLog({ brokers }, async (log) => {
    await log.admin.ensureTopics(workload.topics)
    const result = await use({ log, workload, spec: { brokers, claims, stateDirectory } })
    const { result: results, status } = claimTopics(claims)
    await log.admin.deleteTopics([results, status])
    await rm(stateDirectory, { recursive: true, force: true })
    return result
  })
}

/** Starts an engine on an application and calls `use` once it works; fails when it ends unasked meanwhile. */
export async function withEngine<T>(
  context: Context,
  engine: Engine,
  { spec }: KafkaRun,
  use: (running: RunningEngine) => Promise<T>,
): Promise<T> {
  const running = await engine.start(spec)
  context.scope.defer(() => running.kill())
  const used = async (): Promise<T> => {
    await running.running()
    return use(running)
  }
  return Promise.race([used(), running.failed])
}

const pollMs = 20

/** Resolves once an application has committed the offsets of all its input. */
export async function untilDrained(
  { log, workload }: KafkaRun,
  onProgress: (done: number) => void,
): Promise<void> {
  const { appId, inputTopic, topics, records } = workload
  const count = topics.find(({ name }) => name === inputTopic)?.partitions ?? 0
  const inputs = Array.from({ length: count }, (_, partition) => ({ topic: inputTopic, partition }))
  for (let done = 0; done < records;) {
    await systemClock.sleep(pollMs)
    const committed = await log.admin.committedOffsets(appId, inputs, { requireStable: false })
    done = committed.reduce((sum, { offset = 0 }) => sum + offset, 0)
    onProgress(done)
  }
}

function claimsOf({ input, prefix }: KafkaBench, label: string): ClaimsSpec {
  return { ...input, application: { appId: `${prefix}${label}`, inputPrefix: prefix } }
}
