/**
 * Both stores against plain Maps, through random transactions: several on their way, given up, lost and found again in
 * the changelog, merged, crashed, restored from the changelog and from any compaction of it.
 */
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { SeededRandom } from '#core'
import { bytes, int64, keyValueStore, setStore } from '#topology'
import type { KeyValueStoreSpec, SetStoreSpec, StoreSpec } from '#topology'
import { RocksBackend } from './rocksdb-backend.ts'
import { compacted } from './testing/compaction.ts'
import { StateHarness } from './testing/state-harness.ts'
import type { HarnessOptions } from './testing/state-harness.ts'
import { memoryDisk, sharedDisk } from './testing/test-storage.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const directory = await mkdtemp(join(tmpdir(), 'millrace-layers-'))
const rocks = await RocksBackend.open(directory)
afterAll(async () => {
  await rocks.close()
  await rm(directory, { recursive: true })
})

/** What happens to transactions; writes come between these. */
const event = fc.record({
  kind: fc.oneof(
    { weight: 20, arbitrary: fc.constant('commit' as const) },
    { weight: 3, arbitrary: fc.constantFrom('seal' as const, 'settle' as const) },
    { weight: 6, arbitrary: fc.constant('merge' as const) },
    { weight: 2, arbitrary: fc.constantFrom('discard' as const, 'rollback' as const, 'lose' as const) },
    { weight: 1, arbitrary: fc.constantFrom('crash' as const, 'reopen' as const) },
    { weight: 1, arbitrary: fc.constantFrom('restore' as const, 'restore compacted' as const) },
  ),
  seed: fc.nat(),
})
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

/** The committed model, and one for each transaction on its way, the one being filled last. */
class Models<T> {
  readonly #copy: (model: T) => T
  #committed: T
  readonly #sealed: T[] = []
  top: T
  #savepoint: T

  constructor(empty: T, copy: (model: T) => T) {
    this.#copy = copy
    this.#committed = empty
    this.top = copy(empty)
    this.#savepoint = copy(empty)
  }

  release(): void {
    this.#savepoint = this.#copy(this.top)
  }

  rollback(): void {
    this.top = this.#copy(this.#savepoint)
  }

  seal(): void {
    this.#sealed.push(this.#copy(this.top))
    this.release()
  }

  settle(): void {
    this.#committed = this.#sealed.shift() ?? this.#committed
  }

  settleAll(): void {
    while (this.#sealed.length > 0) this.settle()
  }

  discard(): void {
    this.#sealed.length = 0
    this.top = this.#copy(this.#committed)
    this.release()
  }
}

/** Brings an event over a harness and its models; the merges that happened are counted. */
async function happen<S extends StoreSpec, T>(
  harness: StateHarness<S>,
  models: Models<T>,
  { kind, seed }: Event,
): Promise<void> {
  const random = new SeededRandom(seed)
  const chance = (): boolean => random.next() < 0.6
  switch (kind) {
    case 'rollback':
      harness.state.rollback()
      return models.rollback()
    case 'merge':
      harness.state.release()
      models.release()
      return void harness.state.mergeSegments(1 << 20)
    case 'seal':
      if (harness.inFlight === 2) return
      harness.seal()
      return models.seal()
    case 'settle':
      harness.settle()
      return models.settle()
    case 'commit':
      harness.commit()
      models.seal()
      return models.settleAll()
    case 'discard':
      harness.discard()
      return models.discard()
    case 'lose': {
      if (harness.inFlight === 0) return
      models.settle()
      models.discard()
      return harness.loseOutcome((changelog) => compacted(changelog, chance, { tombstonesGo: false }))
    }
    case 'crash':
      models.discard()
      return harness.crash()
    case 'reopen':
      models.settleAll()
      models.discard()
      return harness.reopen()
    case 'restore':
    case 'restore compacted': {
      models.settleAll()
      models.discard()
      while (harness.inFlight > 0) harness.settle()
      const before = harness.dump()
      const left =
        kind === 'restore' ? harness.changelog : compacted(harness.changelog, chance, { tombstonesGo: true })
      await harness.restoreElsewhere(left)
      expect(harness.dump()).toEqual(before)
      return
    }
    default:
      return kind satisfies never
  }
}

// ------------------------------------------------------------------------------------------------------------ sets

const member = fc.integer({ min: 0, max: 30 })
const setKey = fc.constantFrom(...[[0xff], [0xff], [0xff, 0xff], []].map((key) => Uint8Array.from(key)))
const setWrite = fc.oneof(
  { weight: 20, arbitrary: fc.record({ kind: fc.constant('add' as const), key: setKey, member }) },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: setKey, member }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), key: setKey, member }) },
)
const setSteps = fc.array(fc.oneof({ weight: 3, arbitrary: setWrite }, { weight: 2, arbitrary: event }), {
  minLength: 50,
  maxLength: 200,
  size: 'max',
})
type SetModel = Map<string, Map<number, number>>

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex')
const copyOfSets = (sets: SetModel): SetModel => new Map([...sets].map(([key, set]) => [key, new Map(set)]))

async function checkSets(options: HarnessOptions, numRuns: number): Promise<void> {
  const spec: SetStoreSpec<Uint8Array, number, number> = setStore({
    name: 'sets',
    key: bytes,
    member: int64,
    value: int64,
  })
  await fc.assert(
    fc.asyncProperty(setSteps, async (steps) => {
      const harness = await StateHarness.open(spec, options)
      const models = new Models<SetModel>(new Map(), copyOfSets)
      for (const [at, step] of steps.entries()) {
        if ('seed' in step) {
          await happen(harness, models, step)
        } else {
          const { store } = harness
          const set = models.top.get(hex(step.key)) ?? new Map<number, number>()
          models.top.set(hex(step.key), set)
          if (step.kind === 'drop') {
            store.drop(step.key)
            set.clear()
          } else if (step.kind === 'remove') {
            store.remove(step.key, step.member)
            set.delete(step.member)
          } else {
            store.add(step.key, step.member, at)
            set.set(step.member, at)
          }
          expect(store.has(step.key, step.member)).toBe(set.has(step.member))
          if (at % 3 === 0) {
            harness.state.release()
            models.release()
          }
        }
        if (at % 5 === 0) expectSets(harness, models.top)
      }
      expectSets(harness, models.top)
      await harness.close()
    }),
    { seed: 7, numRuns, endOnFailure: true },
  )
}

function expectSets(
  { store }: StateHarness<SetStoreSpec<Uint8Array, number, number>>,
  model: SetModel,
): void {
  const full = [...model].filter(([, set]) => set.size > 0)
  expect([...store.keys()].map(hex)).toEqual(full.map(([key]) => key).toSorted())
  for (const [text, set] of model) {
    const key = Buffer.from(text, 'hex')
    expect(store.size(key)).toBe(set.size)
    expect([...store.members(key)].toSorted(([a], [b]) => a - b)).toEqual(
      [...set].toSorted(([a], [b]) => a - b),
    )
    for (const probe of [0, 7, 30]) expect(store.get(key, probe)).toBe(set.get(probe))
  }
}

describe('sets', () => {
  const memory = { storage: memoryDisk() }
  test('in memory', () => checkSets({ storage: memoryDisk() }, 60))
  test('leaving memory whole', () => checkSets({ ...memory, setMemoryBytesMax: 2000 }, 40))
  test('spilled shard by shard', () =>
    checkSets({ ...memory, setMemoryBytesMax: 200_000, setShardFromBytes: 700 }, 40))
  test('spilled whole', () => checkSets({ ...memory, setMemoryBytesMax: 1, setShardFromBytes: 1 }, 40))
  test('spilled into RocksDB', () =>
    checkSets({ storage: sharedDisk(rocks), setMemoryBytesMax: 150_000, setShardFromBytes: 700 }, 15))
})

// ------------------------------------------------------------------------------------------------------ key-value

const part = fc.constantFrom(0, 1, 0xfe, 0xff)
const key = fc.array(part, { maxLength: 3 }).map((parts) => Uint8Array.from(parts))
const entryWrite = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('put' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
)
const entrySteps = fc.array(fc.oneof({ weight: 3, arbitrary: entryWrite }, { weight: 2, arbitrary: event }), {
  minLength: 20,
  maxLength: 100,
  size: 'max',
})
type EntryModel = Map<string, number>

async function checkEntries(options: HarnessOptions, numRuns: number): Promise<void> {
  const spec: KeyValueStoreSpec<Uint8Array, number> = keyValueStore({
    name: 'entries',
    key: bytes,
    value: int64,
  })
  await fc.assert(
    fc.asyncProperty(entrySteps, key, key, async (steps, from, to) => {
      const harness = await StateHarness.open(spec, options)
      const models = new Models<EntryModel>(new Map(), (model) => new Map(model))
      const check = (): void => {
        const { store } = harness
        const all = [...models.top].toSorted(([a], [b]) => (a < b ? -1 : 1))
        const seen = (entries: Iterable<[Uint8Array, number]>): [string, number][] =>
          [...entries].map(([entry, value]) => [hex(entry), value])
        expect(seen(store.range())).toEqual(all)
        expect(seen(store.range(from, to))).toEqual(
          all.filter(([text]) => text >= hex(from) && text < hex(to)),
        )
        expect(seen(store.range(undefined, to))).toEqual(all.filter(([text]) => text < hex(to)))
        expect(seen(store.prefix(from))).toEqual(all.filter(([text]) => text.startsWith(hex(from))))
        expect(store.get(from)).toBe(models.top.get(hex(from)))
        expect(store.getMany([to, from])).toEqual([models.top.get(hex(to)), models.top.get(hex(from))])
      }
      for (const [at, step] of steps.entries()) {
        if ('seed' in step) {
          await happen(harness, models, step)
        } else if (step.kind === 'put') {
          harness.store.put(step.key, at)
          models.top.set(hex(step.key), at)
        } else {
          harness.store.delete(step.key)
          models.top.delete(hex(step.key))
        }
        if (!('seed' in step) && at % 3 === 0) {
          harness.state.release()
          models.release()
        }
        if (at % 5 === 0) check()
      }
      check()
      await harness.close()
    }),
    { seed: 7, numRuns, endOnFailure: true },
  )
}

describe('key-value stores', () => {
  test('in memory', () => checkEntries({ storage: memoryDisk() }, 80))
  test('in RocksDB', () => checkEntries({ storage: sharedDisk(rocks) }, 20))
})
