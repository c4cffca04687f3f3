import type { BytesLike } from '#core'
import type { AppendRecord, Appended } from './log.ts'

export type Resolve = (appended: Appended) => void
export type Reject = (error: unknown) => void

interface WaitingRecord {
  readonly record: AppendRecord
  readonly size: number
  readonly resolve: Resolve
  readonly reject: Reject
}

/** Records that came before their topic was looked up; they are appended in their order once it is. */
export class WaitingRecords<T> {
  readonly #lookUp: (topic: string) => Promise<T>
  readonly #append: (topic: T, record: AppendRecord, resolve: Resolve, reject: Reject) => void
  readonly #failed: (topic: string, error: unknown) => unknown
  readonly #byTopic = new Map<string, WaitingRecord[]>()
  #bytes = 0

  constructor(options: {
    readonly lookUp: (topic: string) => Promise<T>
    /** May throw what the record's append fails with. */
    readonly append: (topic: T, record: AppendRecord, resolve: Resolve, reject: Reject) => void
    /** What appends fail with when the topic could not be looked up. */
    readonly failed: (topic: string, error: unknown) => unknown
  }) {
    this.#lookUp = options.lookUp
    this.#append = options.append
    this.#failed = options.failed
  }

  /** Of their keys and values. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#byTopic.size === 0
  }

  has(topic: string): boolean {
    return this.#byTopic.has(topic)
  }

  /** Keeps a copy: the caller may reuse its memory after the call. */
  add(record: AppendRecord, resolve: Resolve, reject: Reject): void {
    const key = copied(record.key)
    const value = copied(record.value)
    const size = (key?.length ?? 0) + (value?.length ?? 0)
    const entry: WaitingRecord = { record: { ...record, key, value }, size, resolve, reject }
    this.#bytes += size
    const waiting = this.#byTopic.get(record.topic)
    if (waiting !== undefined) {
      waiting.push(entry)
      return
    }
    this.#byTopic.set(record.topic, [entry])
    void this.#release(record.topic)
  }

  async #release(name: string): Promise<void> {
    let append: (record: WaitingRecord) => void
    try {
      const topic = await this.#lookUp(name)
      append = ({ record, resolve, reject }) => this.#append(topic, record, resolve, reject)
    } catch (error) {
      const failure = this.#failed(name, error)
      append = () => {
        throw failure
      }
    }
    const waiting = this.#byTopic.get(name) ?? []
    this.#byTopic.delete(name)
    for (const entry of waiting) {
      this.#bytes -= entry.size
      try {
        append(entry)
      } catch (error) {
        entry.reject(error)
      }
    }
  }
}

function copied(bytes: BytesLike | null): BytesLike | null {
  return bytes === null || typeof bytes === 'string' ? bytes : Uint8Array.from(bytes)
}
