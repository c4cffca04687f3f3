import { TopologyBuilder, keyValueStore, output, utf8 } from '#topology'
import type { Topology } from '#topology'

/** Keeps the last value of each key of `in`, and copies it to `out`. */
export function copying(): Topology {
  const builder = new TopologyBuilder()
  const kept = keyValueStore({ name: 'kept', key: utf8, value: utf8 })
  const { done } = builder.processor({
    name: 'keep',
    from: builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 }),
    stores: { kept },
    outputs: { done: output<string, string>() },
    init: ({ stores, emit }) => ({
      process({ key, value }) {
        stores.kept.put(key, value)
        emit.done(key, value)
      },
    }),
  })
  builder.sink({ name: 'sink', from: done, topic: 'out', key: utf8, value: utf8, samePartition: true })
  return builder.build()
}
