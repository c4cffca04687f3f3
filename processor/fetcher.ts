/**
 * Keeps the tasks' input queues filled: polls without end, and pauses a partition while too much of it is buffered.
 */
import type { Clock, Logger } from '#core'
import { isMillraceError } from '#core'
import type { PartitionOffset, Reader, TopicPartition } from '#log'
import { processorError } from './errors.ts'
import type { Signal } from './signal.ts'
import type { TaskRegistry } from './task-registry.ts'

/** A poll that brings nothing ends after it; only there so that a lost wake-up cannot stall reading for ever. */
const pollWaitMs = 1_000
const retryWaitMs = 200

export class Fetcher {
  readonly #reader: Reader
  readonly #tasks: TaskRegistry
  readonly #signal: Signal
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #bufferBytesMax: number
  readonly #purgedTopics: ReadonlySet<string>
  readonly #paused = new Set<TopicPartition>()
  readonly #stop = new AbortController()

  constructor(options: {
    readonly reader: Reader
    readonly tasks: TaskRegistry
    readonly signal: Signal
    readonly clock: Clock
    readonly logger: Logger
    /** Of one partition, fetched and not processed. */
    readonly bufferBytesMax: number
    /** From which whoever has a task deletes what it has processed. */
    readonly purgedTopics: ReadonlySet<string>
  }) {
    this.#reader = options.reader
    this.#tasks = options.tasks
    this.#signal = options.signal
    this.#clock = options.clock
    this.#logger = options.logger
    this.#bufferBytesMax = options.bufferBytesMax
    this.#purgedTopics = options.purgedTopics
  }

  /** Follows partitions from these offsets, and forgets where it was before. */
  follow(offsets: readonly PartitionOffset[]): void {
    for (const partition of offsets) {
      this.#reader.seek(partition, partition.offset)
      this.#reader.resume(partition)
    }
    for (const input of this.#paused) {
      if (offsets.some(({ topic, partition }) => topic === input.topic && partition === input.partition)) {
        this.#paused.delete(input)
      }
    }
    this.#reader.wakeup()
  }

  forget(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.#reader.remove(partition)
  }

  /** Lets partitions go on whose buffers were worked off. */
  resumeDrained(): void {
    for (const partition of this.#paused) {
      const input = this.#tasks.inputOf(partition)?.input
      if (input !== undefined && input.bufferedBytes > this.#bufferBytesMax / 2) continue
      this.#paused.delete(partition)
      this.#reader.resume(partition)
    }
  }

  /** Runs until `close`. Rejects with PROCESSOR_POSITION_LOST, PROCESSOR_FENCED or what the log says for good. */
  async run(): Promise<void> {
    let away = false
    while (!this.#stop.signal.aborted) {
      try {
        await this.#poll()
        if (away) this.#logger.info({}, 'log reachable again')
        away = false
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (!isMillraceError(error) || error.reaction !== 'retry') throw this.#fatal(error)
        if (!away) this.#logger.warn({ error }, 'log not reachable, waiting')
        away = true
        await this.#clock.sleep(retryWaitMs, this.#stop.signal)
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#reader.close()
  }

  async #poll(): Promise<void> {
    const fetched = await this.#reader.poll(pollWaitMs)
    for (const records of fetched) {
      const found = this.#tasks.inputOf(records)
      // A partition that was taken from us, or was moved while this poll was on its way.
      if (found === undefined || found.task.status !== 'running') continue
      found.input.push(records)
      if (found.input.bufferedBytes > this.#bufferBytesMax) {
        this.#paused.add(found.input)
        this.#reader.pause(found.input)
      }
    }
    if (fetched.length > 0) this.#signal.wake()
  }

  #fatal(error: unknown): unknown {
    if (!isMillraceError(error, 'LOG_OFFSET_OUT_OF_RANGE')) return error
    const { context, message } = error
    // Only its owner purges a topic, and only below what it has committed: we are not the owner any more.
    const code = this.#purgedTopics.has(String(context['topic']))
      ? 'PROCESSOR_FENCED'
      : 'PROCESSOR_POSITION_LOST'
    return processorError(code, message, { context, cause: error })
  }
}
