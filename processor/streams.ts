/**
 * The engine's front door: runs a topology against a log until it is stopped.
 */
import { noMetrics } from '#core'
import type { Clock, Logger, Metrics } from '#core'
import type { Log } from '#log'
import { rocksStorage } from '#state'
import type { StateStorage } from '#state'
import { withAppId } from '#topology'
import type { Topology } from '#topology'
import { claimStateDirectory } from './process-id.ts'
import type { ProcessIdentity, TaskPositions } from './process-id.ts'
import type { PurgeLimits } from './repartition-purge.ts'
import { StreamThread } from './thread/stream-thread.ts'
import type { TransactionLimits } from './thread/options.ts'
import type { TaskDescription } from './thread/stream-thread.ts'
import type { PoisonHandler } from './task.ts'
import type { ThreadStatus } from './task-states.ts'
import { prepareTopics } from './topics.ts'

export interface StreamsOptions {
  readonly topology: Topology
  readonly log: Log
  /** Names the group, the changelogs, the transactional ids and the state directory. Never change it. */
  readonly appId: string
  /** Holds `<appId>/…`; one process at a time. */
  readonly stateDir: string
  /** Default: RocksDB on this machine's disk. */
  readonly storage?: StateStorage
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: Metrics
  /** Of topics this creates; of those that exist it is checked. Default: the log chooses. */
  readonly replicationFactor?: number | undefined
  readonly limits?: Partial<TransactionLimits>
  /** Default `dlq`. */
  readonly onPoison?: PoisonHandler
  /**
   * True: this application alone writes to its sinks. Starting it on outputs that another application id has written
   * is then refused (PROCESSOR_OTHER_APP) instead of writing everything twice. Default false.
   */
  readonly exclusiveOutputs?: boolean
  /** How long dead letters are kept, milliseconds. Default 30 days. */
  readonly deadLetterRetentionMs?: number
  /** When to delete what is processed from repartition topics. Default: every 10,000 records, or after 30 s. */
  readonly repartitionPurge?: Partial<PurgeLimits>
  /** One of several stream threads of a process. Left out: the only one, and the state directory is claimed for it. */
  readonly place?: ThreadPlace
  /** Told to everybody in the group, for queries of state; nobody reads it yet. Default: nothing. */
  readonly advertisedUrl?: string
  /**
   * Copies of each stateful task in other processes, which follow its changelogs, so that one of them goes on at once
   * when its owner dies. The same everywhere. Default 0.
   */
  readonly standbys?: number
  /** When a task moves to a process that lacks its state. */
  readonly warmUp?: Partial<WarmUpLimits>
  /** How long the state of a task that lives elsewhere stays on this disk, milliseconds. Default 10 minutes. */
  readonly stateCleanupDelayMs?: number
  /** Bytes of one input partition, fetched and not processed. Default 2 MiB. */
  readonly partitionBufferBytesMax?: number
}

/** A stream thread's place in a process that has claimed the state directory for all of them. */
export interface ThreadPlace {
  /** From 0; no two threads have the same. */
  readonly number: number
  readonly processId: string
  readonly positions: TaskPositions
}

export interface WarmUpLimits {
  /** A state that is behind by no more records is taken over as it is; another one is warmed up first. Default 10,000. */
  readonly acceptableLag: number
  /** Tasks warmed up at once in the whole group; 0: tasks move at once, and wait there until restored. Default 2. */
  readonly tasksMax: number
}

export interface StreamsState {
  readonly thread: ThreadStatus
  /** True once every assigned task is restored. */
  readonly ready: boolean
  readonly tasks: readonly TaskDescription[]
}

export interface Streams {
  state(): StreamsState
  /**
   * Resolves with the error that ended processing; never, as long as it runs or was stopped in order. Errors:
   * PROCESSOR_FENCED (another process has the place of this one), PROCESSOR_POSITION_LOST, PROCESSOR_OTHER_APP,
   * PROCESSOR_POISON and, with `onPoison: 'fail'`, PROCESSOR_PUNCTUATOR; those of the state of a task
   * (`TaskState.open`, ROCKSDB_FAILED), and those of the log that trying again does not mend.
   */
  readonly failed: Promise<Error>
  /** Commits, leaves the group, closes the state. Idempotent. */
  stop(): Promise<void>
}

const dayMs = 86_400_000
/**
 * The slice is short because a commit is several answers one after the other, each of which waits for the slice to end
 * before the next request goes out.
 */
const defaultLimits: TransactionLimits = { recordsMax: 10_000, bytesMax: 8 << 20, sliceMsMax: 5 }
const defaultPurge: PurgeLimits = { records: 10_000, intervalMs: 30_000 }

/** Under which a stream thread is a member of its group, and which begins its transactional ids. */
export function instanceIdOf(appId: string, { processId, number }: Omit<ThreadPlace, 'positions'>): string {
  return `${appId}-${processId}-${number}`
}

/**
 * Starts processing. Resolves once the group is joined; restoring goes on in the background (see `state().ready`).
 * Errors: PROCESSOR_STATE_IN_USE; DIRECTORY_FOREIGN and DIRECTORY_FAILED (of the state directory); PROCESSOR_TOPICS;
 * LOG_TOPIC_MISMATCH (a topic of its own exists with other settings); and those of the log.
 */
export async function startStreams(options: StreamsOptions): Promise<Streams> {
  const { appId, stateDir, log, storage = rocksStorage() } = options
  const topology = withAppId(options.topology, appId)
  const place = options.place ?? (await claimed(storage, stateDir, appId))
  try {
    const topics = await prepareTopics({
      log,
      topology,
      appId,
      replicationFactor: options.replicationFactor,
      deadLetterRetentionMs: options.deadLetterRetentionMs ?? 30 * dayMs,
    })
    const thread = new StreamThread({
      topology,
      topics,
      log,
      appId,
      stateDir,
      storage,
      processId: place.processId,
      idPrefix: instanceIdOf(appId, place),
      positions: place.positions,
      endPoint: options.advertisedUrl ?? '',
      clock: options.clock,
      logger: options.logger,
      metrics: options.metrics ?? noMetrics,
      limits: { ...defaultLimits, ...options.limits },
      onPoison: options.onPoison ?? 'dlq',
      exclusiveOutputs: options.exclusiveOutputs ?? false,
      repartitionPurge: { ...defaultPurge, ...options.repartitionPurge },
      placement: {
        standbys: options.standbys ?? 0,
        acceptableLag: options.warmUp?.acceptableLag ?? 10_000,
        warmUpsMax: options.warmUp?.tasksMax ?? 2,
      },
      stateCleanupDelayMs: options.stateCleanupDelayMs ?? 600_000,
      partitionBufferBytesMax: options.partitionBufferBytesMax ?? 2 << 20,
    })
    return await runThread(thread, place)
  } catch (error) {
    await release(place)
    throw error
  }
}

type ClaimedPlace = ThreadPlace & Pick<ProcessIdentity, 'release'>

async function claimed(storage: StateStorage, stateDir: string, appId: string): Promise<ClaimedPlace> {
  return { number: 0, ...(await claimStateDirectory(storage, stateDir, appId)) }
}

/** Only what was claimed here. */
async function release(place: ThreadPlace | ClaimedPlace): Promise<void> {
  if ('release' in place) await place.release()
}

async function runThread(thread: StreamThread, place: ThreadPlace | ClaimedPlace): Promise<Streams> {
  try {
    await thread.start()
  } catch (error) {
    await thread.stop()
    throw error
  }
  const failed = new Promise<Error>((resolve) => {
    thread.run().catch((error: unknown) => resolve(error instanceof Error ? error : new Error(String(error))))
  })
  const stop = async (): Promise<void> => {
    await thread.stop()
    await release(place)
  }
  let stopping: Promise<void> | undefined
  return {
    failed,
    state: () => ({ thread: thread.status, ready: thread.ready, tasks: thread.tasks() }),
    stop: () => (stopping ??= stop()),
  }
}
