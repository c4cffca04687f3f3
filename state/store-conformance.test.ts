/** Every store of this room against the published suites: through the overlay, after commit, reopened, restored. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { keyValueStoreSuite, setStoreSuite } from '../topology/conformance/index.ts'
import type { OpenedStore } from '../topology/conformance/index.ts'
import type { StoreOf, StoreSpec } from '#topology'
import { LevelBackend } from './level-backend.ts'
import { RocksBackend } from './rocksdb-backend.ts'
import { StateHarness } from './testing/state-harness.ts'
import type { HarnessOptions } from './testing/state-harness.ts'
import { memoryDisk, sharedDisk } from './testing/test-storage.ts'

/** One database of each kind for all of them: opening one takes longer than most of these tests. */
const directory = await mkdtemp(join(tmpdir(), 'millrace-stores-'))
const rocks = await RocksBackend.open(join(directory, 'rocks'))
const level = await LevelBackend.open(join(directory, 'level'))
afterAll(async () => {
  await rocks.close()
  await level.close()
  await rm(directory, { recursive: true })
})

interface Variant {
  readonly name: string
  readonly persistent: boolean
  readonly options: HarnessOptions
  readonly commit: (harness: StateHarness<StoreSpec>) => void
  readonly reopen: (harness: StateHarness<StoreSpec>) => Promise<void>
}

const variants: readonly Variant[] = [
  {
    name: 'rocksdb, reopened',
    persistent: true,
    options: { storage: sharedDisk(rocks) },
    commit: (harness) => harness.commit(),
    reopen: (harness) => harness.reopen(),
  },
  {
    name: 'rocksdb, a transaction behind, restored from the changelog',
    persistent: true,
    options: { storage: sharedDisk(rocks) },
    commit: (harness) => harness.commitBehind(),
    reopen: (harness) => harness.restoreElsewhere(),
  },
  {
    name: 'rocksdb, nothing kept in memory, reopened',
    persistent: true,
    options: { storage: sharedDisk(rocks), setMemoryBytesMax: 1, setShardFromBytes: 1 },
    commit: (harness) => harness.commit(),
    reopen: (harness) => harness.reopen(),
  },
  {
    name: 'level, reopened',
    persistent: true,
    options: { storage: sharedDisk(level) },
    commit: (harness) => harness.commit(),
    reopen: (harness) => harness.reopen(),
  },
  {
    name: 'memory, restored from the changelog',
    persistent: false,
    options: { storage: memoryDisk() },
    commit: (harness) => harness.commit(),
    reopen: (harness) => harness.restoreElsewhere(),
  },
]

function opened<S extends StoreSpec>(harness: StateHarness<S>, variant: Variant): OpenedStore<StoreOf<S>> {
  return {
    store: harness.store,
    commit: () => variant.commit(harness),
    async reopen() {
      await variant.reopen(harness)
      return opened(harness, variant)
    },
    close: () => harness.close(),
  }
}

for (const variant of variants) {
  const { name, persistent } = variant
  keyValueStoreSuite({
    name: `key-value store: ${name}`,
    persistent,
    reopens: true,
    open: async (spec) => opened(await StateHarness.open(spec, variant.options), variant),
  })
  setStoreSuite({
    name: `set store: ${name}`,
    persistent,
    reopens: true,
    open: async (spec) => opened(await StateHarness.open(spec, variant.options), variant),
  })
}
