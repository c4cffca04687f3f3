/** A TaskState in a temporary directory with a changelog kept in memory, for tests of the state room. */
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
import { TaskState } from '../task-state.ts'

const storage = rocksStorage()

interface Sealed {
  readonly store: string
  readonly builders: RecordBatchBuilder[]
}

export class StateHarness<S extends StoreSpec> {
  readonly spec: S
  readonly root: string
  state: TaskState
  /** Committed changelog batches with their offsets. */
  readonly changelog: Buffer[] = []
  end = 0
  readonly #sealed: Sealed[] = []
  #directories = 0

  private constructor(spec: S, root: string, state: TaskState) {
    this.spec = spec
    this.root = root
    this.state = state
  }

  static async open<S extends StoreSpec>(
    spec: S,
    options: { readonly setMemoryBytesMax?: number } = {},
  ): Promise<StateHarness<S>> {
    const root = await mkdtemp(join(tmpdir(), 'millrace-state-'))
    const state = await TaskState.open({ directory: join(root, '0'), stores: [spec], storage, ...options })
    return new StateHarness(spec, root, state)
  }

  get store(): StoreOf<S> {
    return typedStore(this.spec, this.state.store(this.spec))
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
    const sealed = this.#sealed.shift()
    if (sealed === undefined) return
    for (const builder of sealed.builders) {
      const batch = Buffer.from(builder.finish())
      writeI64(batch, batchField.baseOffset, this.end)
      this.changelog.push(batch)
      this.end += builder.count
    }
    this.state.settle([sealed], () => this.checkpointAt(this.end))
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

  /** Closes and opens the same directory. */
  async reopen(): Promise<void> {
    while (this.#sealed.length > 0) this.settle()
    const { directory } = this.state
    await this.state.close()
    this.state = await TaskState.open({ directory, stores: [this.spec], storage })
  }

  /** Opens an empty directory and restores it from the changelog. */
  async restoreElsewhere(): Promise<void> {
    while (this.#sealed.length > 0) this.settle()
    await this.state.close()
    const directory = join(this.root, `restored-${++this.#directories}`)
    this.state = await TaskState.open({ directory, stores: [this.spec], storage })
    const records = new FetchedRecords({
      topic: 'changelog',
      partition: 0,
      startOffset: 0,
      nextOffset: this.end,
      highWatermark: this.end,
      batches: this.changelog,
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
    await rm(this.root, { recursive: true, force: true })
  }
}
