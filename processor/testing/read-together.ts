import { TopologyBuilder, utf8 } from '#topology'
import type { Topology } from '#topology'

/** Subtopology 0 reads `left` and `right` together, subtopology 1 reads `alone`. */
export function readTogether(): Topology {
  const builder = new TopologyBuilder()
  const both = builder.source({ name: 'both', topics: ['left', 'right'], key: utf8, value: utf8 })
  builder.sink({ name: 'first', from: both, topic: 'first-out', key: utf8, value: utf8 })
  const alone = builder.source({ name: 'alone', topics: ['alone'], key: utf8, value: utf8 })
  builder.sink({ name: 'second', from: alone, topic: 'second-out', key: utf8, value: utf8 })
  return builder.build()
}
