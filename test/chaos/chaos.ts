/**
 * The coupon sale with several processors on a real Kafka, under faults all the time; at the end they stop, all settles,
 * and every invariant has to hold.
 */
import { expect } from 'vitest'
import { SeededRandom, isMillraceError, systemClock } from '#core'
import { checkOffsetsGrow } from '#processor'
import { changelogTopic } from '#state'
import { abortedIn } from '../kafka/exactly-once/aborted.ts'
import { offsetsInLog } from '../kafka/exactly-once/offsets-in-log.ts'
import { startKafka, startKafkaProxy } from '../servers/kafka/index.ts'
import { stores } from '../system/checkpoints.ts'
import { openCoupon, partitions } from '../system/commands.ts'
import { Load } from '../system/load.ts'
import { checkAnswers, checkKeys, checkNonces } from '../system/one-outcome.ts'
import { eventually } from '../system/eventually.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { checkStateDirectories, everyTask } from '../system/state-directories.ts'
import { System } from '../system/system.ts'
import { verify } from '../system/verify.ts'
import type { ChaosOptions } from './options.ts'
import { Owners } from './owners.ts'
import { Processors } from './processors.ts'
import type { Processor } from './processors.ts'
import { ProgressWatch } from './progress-watch.ts'
import { storm } from './storm.ts'

const coupons = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth']
const clients = 8
/** Checking takes memory for every record. */
const requestsMax = 300_000
const lookMs = 5000
/** A processor may not become ready in time, as long as faults go on; it may never end by itself. */
const startsMax = 5
/** A storm of a minute sees several thousand. */
const claimsMin = 200

export async function chaos({ ms, seed, brokers, processes, logs }: ChaosOptions): Promise<void> {
  const startedAt = performance.now()
  const tell = (line: string): void =>
    console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(7)} s  ${line}`)
  tell(`it is ${new Date().toISOString()}`)
  tell(`chaos for ${ms / 60_000} min, seed ${seed}, ${brokers} broker(s), ${processes} processors`)
  const random = new SeededRandom(seed)
  const cluster = await startKafka({ nodes: brokers })
  const cleanups: (() => Promise<unknown>)[] = [() => cluster.stop()]
  try {
    const proxy = await startKafkaProxy(cluster)
    cleanups.push(() => proxy.close())
    const system = await System.create({ log: 'kafka', apart: true, brokers: cluster.brokers })
    cleanups.push(() => system.destroy())
    const logUrl = `kafka://${proxy.brokers}`
    const processors = new Processors(system, { LOG_URL: logUrl, THREADS: '2', STANDBYS: '1' }, logs)
    cleanups.push(() => processors.killAll())
    const owners = await Owners.open(cluster.brokers)
    cleanups.push(() => owners.close())

    let starts = 0
    const unexpected: string[] = []
    const noteEnd = async (processor: Processor): Promise<void> => {
      const code = await processor.program.ended
      if (!processors.running.includes(processor)) return
      unexpected.push(`${processor.name} ended by itself with ${code}: ${processor.log.trouble.at(-1)}`)
      processors.forget(processor)
    }
    const start = async (name: string): Promise<void> => {
      for (let left = startsMax; ; left--) {
        starts++
        try {
          const processor = await processors.start(name)
          void noteEnd(processor)
          return
        } catch (error) {
          const why = processors.troubleOf(name) ?? (error as Error).message
          if (isMillraceError(error, 'CLI_DEMO_ENDED'))
            unexpected.push(`${name} ended by itself while it was starting: ${why}`)
          if (left === 1) throw error
          tell(`${name} did not become ready, started again: ${why}`)
        }
      }
    }
    await system.start({}, ['gateway', 'sink'])
    await Promise.all(Array.from({ length: processes }, (_, at) => start(`processor-${at}`)))
    for (const [at, coupon] of coupons.entries()) {
      // Some sell out early, some never.
      await openCoupon(system, coupon, { stock: 10 ** (3 + at), perUserLimit: 1 + 10 * (at % 3) })
    }
    const everyMs = Math.max(5, (ms * clients) / requestsMax)
    const load = new Load({
      system,
      random: new SeededRandom(seed + 1),
      coupons,
      users: 5000,
      clients,
      everyMs,
    })
    const watch = new ProgressWatch(system, tell)
    watch.start()
    cleanups.push(() => watch.stop())
    cleanups.push(() => load.stop())
    load.start()
    await systemClock.sleep(1000)
    watch.counts(true)
    const looking = new AbortController()
    const look = async (): Promise<void> => {
      while (!looking.signal.aborted) {
        // A coordinator that is away is asked later.
        await owners.look().catch(() => undefined)
        await systemClock.sleep(lookMs, looking.signal)
      }
    }
    const looked = look()
    const changelogs = stores.map(({ name }) => changelogTopic(system.appId, name))
    const topics = [system.topics.issue, system.topics.result, ...changelogs]
    const counts = await storm(
      {
        random,
        system,
        processors,
        processes,
        cluster,
        proxy,
        topics: [...topics, '__consumer_offsets', '__transaction_state'],
        start,
        tell,
        hasBroker: (there) => watch.counts(there),
      },
      ms,
    ).finally(() => looking.abort())
    await looked

    tell('no more faults')
    const calmAt = performance.now()
    await load.stop()
    watch.counts(false)
    await load.finish()
    const claimIds = load.acknowledged.map(({ claimId }) => claimId)
    await decided(system, claimIds.slice(-40))
    const settledMs = Math.round(performance.now() - calmAt)
    await loaded(system, endsOf(claimIds))
    await watch.stop()
    const last = await onlyOne(processors)
    expect(await processors.stop(last)).toBe(0)
    expect(await system.stop()).toBe(0)
    tell('all is at rest, and checked now')

    const { violations, histories } = await verify(system, load.acknowledged, last.stateDir)
    const results = histories.flatMap((history) => history.results)
    const tasks = everyTask([stores], partitions)
    const copies = await system.withLog((log) =>
      checkStateDirectories(log, system.appId, processors.stateDirs, tasks),
    )
    expect(copies.violations).toEqual([])
    expect([...copies.complete].toSorted()).toEqual(tasks.map(({ id }) => id))
    expect(unexpected).toEqual([])
    expect(counts.size).toBeGreaterThan(0)
    expect(claimIds.length).toBeGreaterThan(claimsMin)
    expect(violations).toEqual([])
    expect(checkKeys(results)).toEqual([])
    expect(checkNonces(histories)).toEqual([])
    expect(checkAnswers(load.acknowledged, results)).toEqual([])
    expect(checkOffsetsGrow(await offsetsInLog(cluster.brokers, system.appId))).toEqual([])
    expect(results.filter(({ reason }) => reason === 'internal-error')).toEqual([])
    const takeovers = processors.logs.flatMap((log) => log.takeovers)
    expect(await owners.check(system.topics.result, takeovers)).toEqual([])
    const aborted = await abortedIn(cluster.brokers, topics.slice(1))
    const replaced = processors.logs.reduce((sum, log) => sum + log.replacedThreads, 0)
    tell(`faults: ${[...counts].map(([kind, count]) => `${count} × ${kind}`).join(', ')}`)
    tell(
      `${claimIds.length} acknowledged, ${results.length} results, ${aborted.transactions} aborted transactions ` +
        `with ${aborted.records} records; ${starts} starts, ${replaced} threads replaced, ${takeovers.length} tasks ` +
        `taken over; longest standstill of a partition ${watch.longestMs} ms; at rest ${settledMs} ms after the last fault`,
    )
    tell(`${copies.states} copies of states, standbys among them, are the fold of their changelogs`)
    tell('invariants 1 to 10 are whole; no task had two owners that both committed')
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  }
}

/** Stops processors in order until one has all tasks. */
async function onlyOne(processors: Processors): Promise<Processor> {
  const [last, ...others] = processors.running
  if (last === undefined) throw new Error('no processor is left')
  for (const other of others) expect(await processors.stop(other)).toBe(0)
  await eventually('the last processor runs all tasks', async () => last.log.tasks.size === partitions)
  return last
}
