/** One put of a new key for each record, into a key-value store: the engine's plain path, without any domain. */
import type { AppendRecord } from '#log'
import { taskDirectory } from '#state'
import { TopologyBuilder, bytes, keyValueStore, typedStore, utf8 } from '#topology'
import type { Topology } from '#topology'
import { appId } from './app-id.ts'
import { withTaskState } from './task-state.ts'
import type { Workload } from './workload.ts'

export interface PutsSpec {
  readonly kind: 'puts'
  readonly records: number
}

const inputTopic = 'puts'
const partitions = 4
const valueBytes = 100
const entries = keyValueStore({ name: 'entries', key: utf8, value: bytes })

export function puts({ records }: PutsSpec): Workload {
  return {
    appId,
    topology: topology(),
    topics: [{ name: inputTopic, partitions, settings: { cleanup: 'delete' } }],
    inputTopic,
    records,
    input: () => input(records),
    checkOutputs: async () => {},
    checkState: (stateDirectory) => checkEntries(stateDirectory, records),
  }
}

function topology(): Topology {
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

function* input(records: number): Generator<AppendRecord> {
  const value = Buffer.alloc(valueBytes, 'x')
  for (let index = 0; index < records; index++) {
    yield { topic: inputTopic, partition: index % partitions, key: `key-${index}`, value }
  }
}

async function checkEntries(stateDirectory: string, records: number): Promise<void> {
  let count = 0
  for (let partition = 0; partition < partitions; partition++) {
    const directory = taskDirectory(stateDirectory, appId, `0_${partition}`)
    count += await withTaskState(directory, [entries], (state) => {
      let size = 0
      for (const _ of typedStore(entries, state.store(entries)).range()) size++
      return size
    })
  }
  if (count !== records) throw new Error(`the state has ${count} entries, not ${records}`)
}
