/** One task in the test driver: memory stores with a savepoint a record, and outputs that wait for the record's end. */
import { ByteWriter } from '#core'
import type { RecordHeaders } from '#core'
import { writeErased } from '../erasure.ts'
import { taskIdOf } from '../graph.ts'
import type { ErasedSerde, SinkNode, Subtopology, Topology } from '../graph.ts'
import { MemoryKeyValueStore } from '../memory/key-value-store.ts'
import { MemorySetStore } from '../memory/set-store.ts'
import { undoAll } from '../memory/undo-log.ts'
import type { UndoLog } from '../memory/undo-log.ts'
import type { StoreSpec } from '../store.ts'
import type { TaskHost } from '../task-host.ts'
import { TaskProgram } from '../task-program.ts'
import { encodedRecord } from './topic-log.ts'
import type { LoggedRecord } from './topic-log.ts'

/** A record that left at a sink, encoded at once as the contract of TaskHost asks. */
export interface TaskOutput {
  readonly sink: SinkNode
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers: RecordHeaders
}

/** What became of one record; `error` when it was set aside. */
export interface TaskOutcome {
  readonly outputs: readonly TaskOutput[]
  readonly error?: unknown
}

export class TestTask implements TaskHost {
  readonly taskId: string
  readonly partition: number
  readonly #stores = new Map<StoreSpec, unknown>()
  readonly #undo: UndoLog = []
  readonly #program: TaskProgram
  #outputs: TaskOutput[] = []
  #streamTime = -1

  constructor(topology: Topology, subtopology: Subtopology, partition: number) {
    this.taskId = taskIdOf(subtopology.id, partition)
    this.partition = partition
    for (const spec of subtopology.stores) this.#stores.set(spec, memoryStore(spec, this.#undo))
    this.#program = new TaskProgram(topology, subtopology.id, partition, this)
  }

  /** @throws what `onPoison` of a processor throws; with `fail` the error that the record met */
  process(topic: string, record: LoggedRecord, onPoison: 'dlq' | 'fail'): TaskOutcome {
    this.#streamTime = Math.max(this.#streamTime, record.timestamp)
    try {
      this.#program.process(topic, this.partition, encodedRecord(record))
      return { outputs: this.#release() }
    } catch (error) {
      this.#rollback()
      if (onPoison === 'fail') throw error
      return { outputs: this.#answer(error), error }
    }
  }

  store(spec: StoreSpec): unknown {
    return this.#stores.get(spec)
  }

  streamTime(): number {
    return this.#streamTime
  }

  send(sink: SinkNode, key: unknown, value: unknown, timestamp: number, headers: RecordHeaders): void {
    const fields = { key: encodeErased(sink.key, key), value: encodeErased(sink.value, value) }
    this.#outputs.push({ sink, ...fields, timestamp, headers })
  }

  #answer(error: unknown): readonly TaskOutput[] {
    try {
      this.#program.answerPoison(error)
      return this.#release()
    } catch (second) {
      this.#rollback()
      throw second
    }
  }

  #release(): readonly TaskOutput[] {
    const outputs = this.#outputs
    this.#outputs = []
    this.#undo.length = 0
    return outputs
  }

  #rollback(): void {
    undoAll(this.#undo)
    this.#outputs = []
  }
}

function memoryStore(spec: StoreSpec, undo: UndoLog): unknown {
  return spec.kind === 'set'
    ? new MemorySetStore<unknown, unknown, unknown>(spec, undo)
    : new MemoryKeyValueStore<unknown, unknown>(spec, undo)
}

function encodeErased(serde: ErasedSerde, value: unknown): Buffer | null {
  if (value === null && serde.nullable === true) return null
  const out = new ByteWriter(64)
  writeErased(serde, value, out)
  return out.toBuffer()
}
