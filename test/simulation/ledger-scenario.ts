/**
 * Transfers over two subtopologies: a stateless one that splits moves into parts, a repartition topic, and one that
 * adds the parts up. Both tell the time by punctuators of stream time.
 */
import type { SeededRandom } from '#core'
import { partitionOf } from '#log'
import type { TopicSpec } from '#log'
import { checkOutputsOnce, deadLetterTopic } from '#processor'
import type { OutputRecord } from '#processor'
import {
  TopologyBuilder,
  TopologyTestDriver,
  bytes,
  keyValueStore,
  nullable,
  output,
  utf8,
  withAppId,
} from '#topology'
import type { Topology } from '#topology'
import { appId, recordsOf } from './scenario.ts'
import type { Ask, Note, Place, Scenario } from './scenario.ts'
import type { Plan } from './swarm.ts'
import type { World } from './world.ts'

const moves = 'moves'
const totals = 'totals'
const parts = `${appId}-parts-repartition`
const accounts = ['a', 'b', 'c', 'd', 'e']

/** A move is `a=1 b=-2`; a part names where it comes from: `0@7 a=1`. The account `boom` fails midway. */
function ledgerTopology(): Topology {
  const builder = new TopologyBuilder()
  const split = builder.processor({
    name: 'split',
    from: builder.source({ name: 'moves', topics: [moves], key: utf8, value: utf8 }),
    outputs: { part: output<string, string>() },
    init({ emit, schedule, taskId }) {
      const partition = taskId.split('_')[1]
      schedule({
        name: 'tick',
        every: 300,
        by: 'stream-time',
        punctuate: (at) => emit.part('tick', `${partition}@tick ${at}=1`),
      })
      return {
        process({ value, offset }) {
          for (const part of value.split(' ')) {
            const account = part.split('=')[0] ?? ''
            if (account === 'boom') throw new Error('boom')
            emit.part(account, `${partition}@${offset} ${part}`)
          }
        },
      }
    },
  })
  const sums = keyValueStore({ name: 'sums', key: utf8, value: utf8 })
  const add = builder.processor({
    name: 'add',
    from: builder.repartition({ name: 'parts', from: split.part, key: utf8, value: utf8 }),
    stores: { sums },
    outputs: { total: output<string, string>() },
    init({ stores, emit, schedule }) {
      schedule({
        name: 'sum',
        every: 500,
        by: 'stream-time',
        punctuate(at) {
          for (const [account, sum] of stores.sums.range()) emit.total(account, `${at} ${sum}`)
        },
      })
      return {
        process({ key, value }) {
          const sum = Number(stores.sums.get(key) ?? 0) + Number(value.split('=')[1])
          // An account at zero is closed.
          if (sum === 0) stores.sums.delete(key)
          else stores.sums.put(key, String(sum))
          emit.total(key, `${value} -> ${sum}`)
        },
      }
    },
  })
  builder.sink({
    name: 'totals',
    from: add.total,
    topic: totals,
    key: utf8,
    value: utf8,
    samePartition: true,
  })
  return builder.build()
}

export class LedgerScenario implements Scenario {
  readonly topology = ledgerTopology()
  readonly topics: readonly TopicSpec[]
  readonly input = moves
  readonly #random: SeededRandom
  readonly #acknowledged: Place[] = []

  constructor(random: SeededRandom, { partitions }: Plan) {
    this.#random = random
    this.topics = [
      { name: moves, partitions, settings: { cleanup: 'delete', timestamps: 'log-append' } },
      { name: totals, partitions, settings: { cleanup: 'delete' } },
    ]
  }

  next(): Ask {
    const random = this.#random
    const part = (): string =>
      `${random.next() < 0.03 ? 'boom' : random.pick(accounts)}=${random.pick([-2, -1, 1, 1, 2])}`
    const value = random.next() < 0.03 ? null : Array.from({ length: random.integer(1, 4) }, part).join(' ')
    return { key: `k${random.integer(0, 8)}`, value }
  }

  acknowledged(_value: string | null, place: Place): void {
    this.#acknowledged.push(place)
  }

  check(world: World, note: Note): void {
    const { partitions } = world.plan
    for (let partition = 0; partition < partitions; partition++) {
      const input = recordsOf(world, moves, partition)
      world.coverage.add('moves', input.length)
      const known = new Set(input.map(({ offset }) => offset))
      for (const place of this.#acknowledged) {
        if (place.partition !== partition || known.has(place.offset)) continue
        note([{ message: `the acknowledged record ${moves}-${partition}@${place.offset} is not in the log` }])
      }
      const split = driverOf(world)
      const expectedDead: OutputRecord[] = []
      const pipe = split.inputTopic(moves, any, any)
      for (const { key, value, timestamp } of input) {
        const before = split.deadLetters().length
        pipe.pipe(key, value, { timestamp, partition })
        if (split.deadLetters().length > before) expectedDead.push({ key, value })
      }
      const dead = deadLetterTopic(moves)
      note(checkOutputsOnce(`${dead}-${partition}`, expectedDead, recordsOf(world, dead, partition)))
      const given = split.outputTopic(parts, any, any).readAll()
      for (let target = 0; target < partitions; target++) {
        const ours = recordsOf(world, parts, target).filter(({ value }) =>
          value?.toString().startsWith(`${partition}@`),
        )
        const expected = given.filter((record) => record.partition === target)
        note(checkOutputsOnce(`${parts}-${target} from ${partition}`, expected, ours))
      }
      const add = driverOf(world)
      const piped = add.inputTopic(parts, any, any)
      for (const { key, value, timestamp } of recordsOf(world, parts, partition)) {
        piped.pipe(key, value, { timestamp, partition })
      }
      const written = recordsOf(world, totals, partition)
      world.coverage.add('totals', written.length)
      note(checkOutputsOnce(`${totals}-${partition}`, add.outputTopic(totals, any, any).readAll(), written))
    }
  }
}

const any = nullable(bytes)

function driverOf(world: World): TopologyTestDriver {
  const topology = withAppId(world.scenario.topology, appId)
  return new TopologyTestDriver(topology, { partitions: world.plan.partitions, partitioner: partitionOf })
}
