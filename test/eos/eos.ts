/**
 * Apache Kafka's own exactly-once system test (`streams_eos_test.py`, `EosTestDriver`), ported: three processes with two
 * standbys each, that are added, stopped in order and killed as a seed says, while input comes all the time. EndTxn is
 * held back by a second, so that a process is killed inside an open transaction.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { batchField, everyPartition } from '#log'
import type { Log, TopicPartition } from '#log'
import { openKafkaLog } from '#log/kafka'
import { checkOffsetsGrow } from '#processor'
import { changelogTopic } from '#state'
import { abortedIn } from '../kafka/exactly-once/aborted.ts'
import { offsetsInLog } from '../kafka/exactly-once/offsets-in-log.ts'
import type { TestKafka } from '../servers/kafka/index.ts'
import { apiKeys, startKafkaProxy } from '../servers/kafka/index.ts'
import { fetchTopic } from '../system/read-topic.ts'
import { eventually } from '../system/eventually.ts'
import { Input } from './input.ts'
import { EosProcess } from './processes.ts'
import { eosTopics, partitions, repartitionName, stores } from './topology.ts'
import { checkOutputs, checkStates, tasks } from './verify.ts'

export interface EosOptions {
  readonly kafka: TestKafka
  /** How long processes come and go. */
  readonly ms: number
  readonly seed: number
  /** Where everything that the processes log is kept; undefined: nowhere. */
  readonly logs: string | undefined
  /** There are so many kills that every second one at least meets an open transaction. */
  readonly isLong: boolean
}

const processCount = 3
const endTxnDelayMs = 1000
const perSecond = 1000
const lookMs = 50

export async function eos({ kafka, ms, seed, logs, isLong }: EosOptions): Promise<void> {
  const startedAt = performance.now()
  const tell = (line: string): void =>
    console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${line}`)
  const random = new SeededRandom(seed)
  const topics = eosTopics(kafka.prefix)
  const appId = `${kafka.prefix}eos`
  const directory = await mkdtemp(join(tmpdir(), 'millrace-eos-'))
  const cleanups: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true })]
  try {
    const log = await openKafkaLog({ url: `kafka://${kafka.brokers}`, clock: systemClock })
    cleanups.push(() => log.close())
    await log.admin.ensureTopics(
      Object.values(topics).map((name) => ({ name, partitions, settings: { cleanup: 'delete' } })),
    )
    const proxy = await startKafkaProxy(kafka)
    cleanups.push(() => proxy.close())
    const stretch = proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, { delayMs: endTxnDelayMs })
    const environment = { LOG_URL: `kafka://${proxy.brokers}`, APP_ID: appId, TOPIC_PREFIX: kafka.prefix }
    const processes = Array.from(
      { length: processCount },
      (_, at) => new EosProcess(directory, `process-${at}`, environment, logs),
    )
    cleanups.push(() => Promise.all(processes.map((process) => process.kill())))
    const input = new Input({ log, topic: topics.data, seed, perSecond })
    cleanups.push(() => input.stop().catch(() => undefined))
    input.start()
    const progress = new Progress(log, appId, [topics.data, `${appId}-${repartitionName}-repartition`])

    for (const process of processes) await process.start()
    await progress.everywhere()
    tell(`${processCount} processes work`)
    const kills = await comeAndGo({ random, processes, progress, tell, ms })

    await input.stop()
    stretch.release()
    await progress.until(input.ends)
    await eventually('every group is counted', async () => (await countOf(log, topics.cnt)) >= input.appended)
    for (const process of processes) expect(await process.stop()).toBe(0)
    tell('all is at rest, and checked now')

    const { violations, inputs } = await checkOutputs(log, topics)
    const stateDirs = processes.map(({ stateDir }) => stateDir)
    const states = await checkStates(log, appId, stateDirs)
    expect(violations).toEqual([])
    expect(states.violations).toEqual([])
    expect(inputs).toBe(input.appended)
    expect([...states.complete].toSorted()).toEqual(tasks.map(({ id }) => id).toSorted())
    expect(checkOffsetsGrow(await offsetsInLog(kafka.brokers, appId))).toEqual([])
    const changelogs = Object.values(stores).map(({ name }) => changelogTopic(appId, name))
    const { data: _, ...outputs } = topics
    const aborted = await abortedIn(kafka.brokers, [...Object.values(outputs), ...changelogs])
    expect(kills).toBeGreaterThan(0)
    // A victim that has no tasks yet leaves nothing to abort.
    expect(aborted.transactions).toBeGreaterThanOrEqual(isLong ? kills / 2 : 1)
    tell(
      `${inputs} records, each in echo, min, sum, max and cnt as the fold of its prefix; ${kills} kills, ` +
        `${aborted.transactions} aborted transactions with ${aborted.records} records; ` +
        `${states.states} copies of states are the fold of their changelogs`,
    )
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

interface Course {
  readonly random: SeededRandom
  readonly processes: readonly EosProcess[]
  readonly progress: Progress
  readonly tell: (line: string) => void
  readonly ms: number
}

/** In the end all run. Resolves with the number of kills. */
async function comeAndGo({ random, processes, progress, tell, ms }: Course): Promise<number> {
  const until = performance.now() + ms
  let kills = 0
  while (performance.now() < until) {
    await systemClock.sleep(random.integer(200, 2500))
    const victim = random.pick(processes)
    const isKill = random.next() < 0.7
    // Without it the others take over, or it is back before they notice.
    const isGone = random.next() < 0.5
    tell(`${isKill ? 'kill -9' : 'stop'} ${victim.log.name}, ${isGone ? 'the others go on' : 'back at once'}`)
    if (isKill) {
      kills++
      await victim.kill()
    } else expect(await victim.stop()).toBe(0)
    if (isGone) await progress.everywhere()
    await victim.start()
    if (random.next() < 0.7) await progress.everywhere()
    for (const process of processes) if (!process.isRunning) throw new Error(process.log.trouble.at(-1))
  }
  await progress.everywhere()
  return kills
}

/** Committed offsets of all inputs, as they become visible. */
class Progress {
  readonly #log: Log
  readonly #appId: string
  readonly #places: readonly TopicPartition[]

  constructor(log: Log, appId: string, topics: readonly string[]) {
    this.#log = log
    this.#appId = appId
    this.#places = topics.flatMap((topic) => everyPartition(topic, partitions))
  }

  /** Resolves once something was committed on every partition from now on. */
  async everywhere(): Promise<void> {
    const before = await this.#look()
    await this.#until('every partition goes on', (now) =>
      now.every((offset, at) => offset > (before[at] ?? 0)),
    )
  }

  /** @param ends by partition of the first topic, exclusive */
  until(ends: ReadonlyMap<number, number>): Promise<void> {
    return this.#until('all input is processed', (now) =>
      [...ends].every(([partition, end]) => (now[partition] ?? 0) >= end),
    )
  }

  #until(what: string, holds: (offsets: readonly number[]) => boolean): Promise<void> {
    return eventually(what, async () => {
      await systemClock.sleep(lookMs)
      return holds(await this.#look())
    })
  }

  async #look(): Promise<number[]> {
    const offsets = await this.#log.admin.committedOffsets(this.#appId, this.#places, {
      requireStable: false,
    })
    return offsets.map(({ offset = 0 }) => offset)
  }
}

async function countOf(log: Log, topic: string): Promise<number> {
  let count = 0
  for await (const fetched of fetchTopic(log, topic))
    for (const batch of fetched.batches) count += batch.readInt32BE(batchField.count)
  return count
}
