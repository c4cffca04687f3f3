/** A TaskState with a changelog kept in memory, for tests of the state room. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeI64 } from '#core'
import { FetchedRecords, RecordBatchBuilder, batchField } from '#log'
import { typedStore } from '#topology'
import type { StoreOf, StoreSpec } from '#topology'
import type { TaskPosition } from '../changelog.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { rocksStorage } from '../storage.ts'
import type { StateStorage } from '../storage.ts'
import { TaskState } from '../task-state.ts'

interface Sealed {
  readonly store: string
  readonly builders: RecordBatchBuilder[]
}

export interface HarnessOptions {
  readonly setMemoryBytesMax?: number
  readonly setShardFromBytes?: number
  /** Default: RocksDB in a temporary directory. */
  readonly storage?: StateStorage
}

let roots = 0

export class StateHarness<S extends StoreSpec> {
  readonly spec: S
  readonly root: string
  state: TaskState
  /** Committed changelog batches with their offsets. */
  readonly changelog: Buffer[] = []
  end = 0
  readonly #options: HarnessOptions
  readonly #sealed: Sealed[] = []
  #directories = 0

  private constructor(spec: S, root: string, options: HarnessOptions, state: TaskState) {
    this.spec = spec
    this.root = root
    this.#options = options
    this.state = state
  }

  static async open<S extends StoreSpec>(spec: S, options: HarnessOptions = {}): Promise<StateHarness<S>> {
    const root =
      options.storage === undefined
        ? await mkdtemp(join(tmpdir(), 'millrace-state-'))
        : `millrace-state-${++roots}`
    const state = await openState(spec, join(root, '0'), options)
    return new StateHarness(spec, root, options, state)
  }

  get store(): StoreOf<S> {
    return typedStore(this.spec, this.state.store(this.spec))
  }

  /** Transactions on their way. */
  get inFlight(): number {
    return this.#sealed.length
  }

  /** Closes the transaction being filled; it counts as on its way to the log. */
  seal(): void {
    this.#seal([])
  }

  /** The same with a position record in front. */
  sealWithPosition(position: TaskPosition): void {
    const builder = new RecordBatchBuilder()
    this.state.sealPosition(position, builder, 0)
    this.#seal([builder])
  }

  #seal(builders: RecordBatchBuilder[]): void {
    this.state.release()
    this.state.seal(() => {
      const last = builders.at(-1)
      if (last !== undefined && last.byteLength < 512 << 10) return last
      const builder = new RecordBatchBuilder()
      builders.push(builder)
      return builder
    }, 0)
    this.#sealed.push({ store: this.spec.name, builders })
  }

  /** The oldest sealed transaction is committed. */
  settle(): void {
    const sealed = this.#commitOldest()
    if (sealed === undefined) return
    this.state.settle([sealed], () => this.checkpointAt(this.end))
    // As the runtime does: what still looks at this memory shows itself.
    for (const builder of sealed.builders) overwrite(builder)
  }

  commit(): void {
    this.seal()
    while (this.#sealed.length > 0) this.settle()
  }

  discard(): void {
    this.#sealed.length = 0
    this.state.discard()
  }

  /** Commits like a pipeline does: the transaction sealed now is settled only after the next one is sealed. */
  commitBehind(): void {
    this.seal()
    if (this.#sealed.length > 1) this.settle()
  }

  /**
   * The oldest sealed transaction is committed, but its owner never hears of it: the later ones are given up, and the
   * state catches up from the changelog.
   */
  loseOutcome(compact: (changelog: readonly Buffer[]) => readonly Buffer[] = (changelog) => changelog): void {
    this.#commitOldest()
    this.discard()
    this.catchUp(compact(this.changelog))
  }

  /** The process dies with transactions on their way; the same directory is opened again. */
  async crash(): Promise<void> {
    this.#sealed.length = 0
    await this.#openAgain(this.state.directory)
  }

  /** Closes and opens the same directory. */
  async reopen(): Promise<void> {
    while (this.#sealed.length > 0) this.settle()
    await this.#openAgain(this.state.directory)
  }

  /** Opens an empty directory and restores it from the changelog, or from what compaction left of it. */
  async restoreElsewhere(changelog: readonly Buffer[] = this.changelog): Promise<void> {
    while (this.#sealed.length > 0) this.settle()
    await this.#openAgain(join(this.root, `restored-${++this.#directories}`))
    this.catchUp(changelog)
  }

  /** Applies what the changelog holds from the checkpoint on. */
  catchUp(changelog: readonly Buffer[]): void {
    const startOffset = this.state.checkpoint(this.spec.name)?.offset ?? 0
    const records = new FetchedRecords({
      topic: 'changelog',
      partition: 0,
      startOffset,
      nextOffset: this.end,
      highWatermark: this.end,
      batches: changelog,
    })
    this.state.restore(this.spec.name, records, this.checkpointAt(this.end))
  }

  checkpointAt(offset: number): Checkpoint {
    return { clusterId: 'cluster', topicId: 'topic', offset, writtenAt: 1000 }
  }

  /** Everything committed, as hex, for comparing states. */
  dump(): string[] {
    return [...this.state.dump(this.spec.name)].map(
      ([key, value]) => `${key.toString('hex')}=${value.toString('hex')}`,
    )
  }

  async close(): Promise<void> {
    await this.state.close()
    if (this.#options.storage === undefined) await rm(this.root, { recursive: true, force: true })
  }

  #commitOldest(): Sealed | undefined {
    const sealed = this.#sealed.shift()
    for (const builder of sealed?.builders ?? []) {
      if (builder.count === 0) continue
      const batch = Buffer.from(builder.finish())
      writeI64(batch, batchField.baseOffset, this.end)
      this.changelog.push(batch)
      this.end += builder.count
    }
    return sealed
  }

  async #openAgain(directory: string): Promise<void> {
    await this.state.close()
    this.state = await openState(this.spec, directory, this.#options)
  }
}

function openState(spec: StoreSpec, directory: string, options: HarnessOptions): Promise<TaskState> {
  return TaskState.open({ storage: rocksStorage(), ...options, directory, stores: [spec] })
}

function overwrite(builder: RecordBatchBuilder): void {
  const size = builder.byteLength
  builder.reset()
  builder.append(null, Buffer.alloc(size, 0xee), 0)
}
