/**
 * The topology of Apache Kafka's own exactly-once system test (`EosTestClient`): what comes in is echoed, and folded to
 * the least value and the sum of each key; then it is partitioned anew by a group of its value, and folded to the
 * greatest value and the count of each group.
 */
import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { KeyValueStoreSpec, Stream, Topology } from '#topology'

export interface EosTopics {
  readonly data: string
  readonly echo: string
  readonly min: string
  readonly sum: string
  readonly max: string
  readonly cnt: string
}

export function eosTopics(prefix: string): EosTopics {
  const [data, echo, min, sum, max, cnt] = ['data', 'echo', 'min', 'sum', 'max', 'cnt'].map(
    (name) => prefix + name,
  ) as [string, string, string, string, string, string]
  return { data, echo, min, sum, max, cnt }
}

/** Of every topic. */
export const partitions = 5

/** The fold of the values of one key or group. */
export type Fold = (before: number | undefined, value: number) => number

export const folds = {
  min: (before = Number.POSITIVE_INFINITY, value) => Math.min(before, value),
  sum: (before = 0, value) => before + value,
  max: (before = Number.NEGATIVE_INFINITY, value) => Math.max(before, value),
  cnt: (before = 0) => before + 1,
} satisfies Record<string, Fold>

type FoldName = keyof typeof folds

/** Values that differ meet in one group, whatever the partitions of their keys. */
const groups = 500

export function groupOf(value: number): string {
  return `group-${value % groups}`
}

/** Under which a record behind the repartition topic says where it came from: `<partition>/<offset>`. */
export const fromHeader = 'from'

export const stores = {
  min: store('min'),
  sum: store('sum'),
  max: store('max'),
  cnt: store('cnt'),
}

/** Stores of the tasks of each subtopology, sorted by name. */
export const subtopologyStores = [
  [stores.min, stores.sum],
  [stores.cnt, stores.max],
] as const

export const repartitionName = 'by-group'

export function eosTopology(topics: EosTopics): Topology {
  const builder = new TopologyBuilder()
  const data = builder.source({ name: 'data', topics: [topics.data], key: utf8, value: utf8 })
  builder.sink({ name: 'echo', from: data, topic: topics.echo, key: utf8, value: utf8 })
  fold(builder, 'min', data, topics.min)
  fold(builder, 'sum', data, topics.sum)
  const { grouped } = builder.processor({
    name: 'group',
    from: data,
    outputs: { grouped: output<string, string>() },
    init: ({ emit }) => ({
      process({ value, partition, offset }) {
        const headers = [{ key: fromHeader, value: `${partition}/${offset}` }]
        emit.grouped(groupOf(Number(value)), value, { headers })
      },
    }),
  })
  const byGroup = builder.repartition({ name: repartitionName, from: grouped, key: utf8, value: utf8 })
  fold(builder, 'max', byGroup, topics.max)
  fold(builder, 'cnt', byGroup, topics.cnt)
  return builder.build()
}

/** Every record gives the fold so far. */
function fold(builder: TopologyBuilder, name: FoldName, from: Stream<string, string>, topic: string): void {
  const { folded } = builder.processor({
    name,
    from,
    stores: { kept: stores[name] },
    outputs: { folded: output<string, string>() },
    init: ({ stores: { kept }, emit }) => ({
      process({ key, value }) {
        const before = kept.get(key)
        const after = String(folds[name](before === undefined ? undefined : Number(before), Number(value)))
        kept.put(key, after)
        emit.folded(key, after)
      },
    }),
  })
  builder.sink({ name: `${name}-sink`, from: folded, topic, key: utf8, value: utf8 })
}

function store(name: FoldName): KeyValueStoreSpec<string, string> {
  return keyValueStore({ name, key: utf8, value: utf8 })
}
