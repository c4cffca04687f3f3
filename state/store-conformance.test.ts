/** Every store of this room against the published suites: through the overlay, after commit, reopened, restored. */
import { keyValueStoreSuite, setStoreSuite } from '../topology/conformance/index.ts'
import type { OpenedStore } from '../topology/conformance/index.ts'
import type { StoreOf, StoreSpec } from '#topology'
import { StateHarness } from './testing/state-harness.ts'

interface Variant {
  readonly name: string
  readonly persistent: boolean
  readonly commit: (harness: StateHarness<StoreSpec>) => void
  readonly reopen: (harness: StateHarness<StoreSpec>) => Promise<void>
}

const variants: readonly Variant[] = [
  {
    name: 'rocksdb, reopened',
    persistent: true,
    commit: (harness) => harness.commit(),
    reopen: (harness) => harness.reopen(),
  },
  {
    name: 'rocksdb, a transaction behind, restored from the changelog',
    persistent: true,
    commit: (harness) => harness.commitBehind(),
    reopen: (harness) => harness.restoreElsewhere(),
  },
  {
    name: 'memory, restored from the changelog',
    persistent: false,
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
    open: async (spec) => opened(await StateHarness.open(spec), variant),
  })
  setStoreSuite({
    name: `set store: ${name}`,
    persistent,
    reopens: true,
    open: async (spec) => opened(await StateHarness.open(spec), variant),
  })
}
