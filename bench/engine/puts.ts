/** One put of a new key for each record, into a key-value store: the engine's plain path, without any domain. */
import { taskDirectory } from '#state'
import { TopologyBuilder, bytes, keyValueStore, typedStore, utf8 } from '#topology'
import type { Topology } from '#topology'
import { theProgram } from './application.ts'
import type { Application } from './application.ts'
import { withTaskState } from './task-state.ts'
import type { Workload } from './workload.ts'

export interface PutsSpec {
  readonly kind: 'puts'
  readonly records: number
  /** Default 4. */
  readonly partitions?: number
  /** Default: the program. */
  readonly application?: Application
}

const valueBytes = 100
const entries = keyValueStore({ name: 'entries', key: utf8, value: bytes })

export function puts({ records, partitions = 4, application = theProgram }: PutsSpec): Workload {
  const { appId, inputPrefix } = application
  const inputTopic = `${inputPrefix}puts`
  return {
    appId,
    topology: topology(inputTopic),
    topics: [{ name: inputTopic, partitions, settings: { cleanup: 'delete' } }],
    inputTopic,
    records,
    *input() {
      const value = Buffer.alloc(valueBytes, 'x')
      for (let index = 0; index < records; index++) {
        yield { topic: inputTopic, partition: index % partitions, key: `key-${index}`, value }
      }
    },
    checkOutputs: async () => {},
    async checkState(stateDirectory) {
      let count = 0
      for (let partition = 0; partition < partitions; partition++) {
        count += await entriesIn(taskDirectory(stateDirectory, appId, `0_${partition}`))
      }
      if (count !== records) throw new Error(`the state has ${count} entries, not ${records}`)
    },
  }
}

function topology(inputTopic: string): Topology {
  const builder = new TopologyBuilder()
  const source = builder.source({ name: 'puts', topics: [inputTopic], key: utf8, value: bytes })
  builder.processor({
    name: 'put',
    from: source,
    stores: { entries },
    init: ({ stores }) => ({ process: ({ key, value }) => stores.entries.put(key, value) }),
  })
  return builder.build()
}

function entriesIn(directory: string): Promise<number> {
  return withTaskState(directory, [entries], (state) => {
    let size = 0
    for (const _ of typedStore(entries, state.store(entries)).range()) size++
    return size
  })
}
