/** One broker, one input, and engines in turn that work on it, each run an application of its own. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#core'
import type { Log } from '#log'
import { preloadScript } from '../children/scripts.ts'
import type { ClaimsSpec } from '../engine/claims.ts'
import { committedRecords } from '../engine/input.ts'
import type { PutsSpec } from '../engine/puts.ts'
import { withLog } from '../engine/with-log.ts'
import { workloadOf } from '../engine/workload.ts'
import type { Workload, WorkloadSpec } from '../engine/workload.ts'
import type { Engine, EngineRun, RunningEngine } from '../peers/engine.ts'
import type { Context } from '../runner/bench.ts'
import { runChild } from '../runner/child.ts'
import type { KafkaNeeds } from '../runner/servers.ts'

/** A workload without the application. */
export type KafkaInput = Omit<ClaimsSpec, 'application'> | Omit<PutsSpec, 'application'>

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
export async function kafkaBench(
  context: Context,
  name: string,
  input: KafkaInput,
  needs: KafkaNeeds = {},
): Promise<KafkaBench> {
  return { context, brokers: await context.servers.kafka(needs), input, prefix: `${name}-` }
}

/** The same with the input on the broker. */
export async function preloadedKafka(
  context: Context,
  name: string,
  input: KafkaInput,
  needs: KafkaNeeds = {},
): Promise<KafkaBench> {
  const bench = await kafkaBench(context, name, input, needs)
  const workload = specOf(bench, 'input')
  const { records } = workloadOf(workload)
  if (records === 0) return bench
  context.progress.say(`preloading ${records.toLocaleString('en-US')} records`)
  const { brokers } = bench
  await runChild(preloadScript, { brokers, workload }, { ...context, profileDirectory: undefined })
  return bench
}

/** Makes an application's topics, and deletes what it wrote after `use`: others would find the broker slower. */
export function withRun<T>(bench: KafkaBench, label: string, use: (run: KafkaRun) => Promise<T>): Promise<T> {
  const { context, brokers } = bench
  const spec = specOf(bench, label)
  const workload = workloadOf(spec)
  const stateDirectory = join(context.scope.directory, label)
  return withLog({ brokers }, async (log) => {
    await log.admin.ensureTopics(workload.topics)
    const result = await use({ log, workload, spec: { brokers, workload: spec, stateDirectory } })
    const outputs = workload.topics.map(({ name }) => name).filter((name) => name !== workload.inputTopic)
    if (outputs.length > 0) await log.admin.deleteTopics(outputs)
    await rm(stateDirectory, { recursive: true, force: true })
    return result
  })
}

/** Starts an engine on an application and calls `use` once it works; fails when it ends unasked meanwhile. */
export function withEngine<T>(
  context: Context,
  engine: Engine,
  run: KafkaRun,
  use: (running: RunningEngine) => Promise<T>,
): Promise<T> {
  return withProcesses(context, engine, [run.spec], ([running]) => use(running as RunningEngine))
}

/** The same with several processes, started together. */
export async function withProcesses<T>(
  context: Context,
  engine: Engine,
  specs: readonly EngineRun[],
  use: (running: readonly RunningEngine[]) => Promise<T>,
): Promise<T> {
  const processes = await Promise.all(specs.map((spec) => engine.start(spec)))
  for (const running of processes) context.scope.defer(() => running.kill())
  const used = async (): Promise<T> => {
    await Promise.all(processes.map((running) => running.running()))
    return use(processes)
  }
  return Promise.race([used(), ...processes.map(({ failed }) => failed)])
}

/** What another process of the same application is given. */
export function another({ spec }: KafkaRun, number: number): EngineRun {
  return { ...spec, stateDirectory: join(spec.stateDirectory, `process-${number}`) }
}

const pollMs = 20

/** Resolves once an application has committed the offsets of all its input. */
export async function untilDrained(
  { log, workload }: KafkaRun,
  onProgress: (done: number) => void,
): Promise<void> {
  for (let done = 0; done < workload.records;) {
    await systemClock.sleep(pollMs)
    done = await committedRecords(log, workload)
    onProgress(done)
  }
}

/** Of a run that has claims. */
export function claimsOf({ spec }: KafkaRun): ClaimsSpec {
  if (spec.workload.kind !== 'claims') throw new TypeError('this run has no claims')
  return spec.workload
}

function specOf({ input, prefix }: KafkaBench, label: string): WorkloadSpec {
  return { ...input, application: { appId: `${prefix}${label}`, inputPrefix: prefix } }
}
