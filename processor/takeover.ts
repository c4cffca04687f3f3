/**
 * Making a task ours: from "assigned" to "may process" (design: takeover order).
 *
 * The transactional ids have been taken over before. Then: committed offsets, waiting until they are stable → the
 * changelogs' high watermarks → restore up to them → decide where the input goes on. What a dead owner has left open
 * is ended on the way (former-owner.ts).
 */
import type { Clock, Logger } from '#core'
import { isMillraceError, orAborted } from '#core'
import type { CommittedOffset, Log, PartitionOffsets, TopicPartition } from '#log'
import { restoreStores } from '#state'
import type {
  ChangelogFacts,
  RestoreProgress,
  StateStorage,
  StoreChangelog,
  TaskPosition,
  TaskState,
} from '#state'
import type { ChangelogIdentity } from './commit/seal.ts'
import { processorError } from './errors.ts'
import { decidedEnds, stableOffsets, streamTimeOf } from './former-owner.ts'
import { assertOutputsEmpty } from './exclusive-outputs.ts'
import { RestoreReport } from './restore-report.ts'
import type { RestoreInstruments } from './restore-report.ts'
import type { Slots } from './slots.ts'
import { openTaskState, whyNotContinued, wipeTaskState } from './task-storage.ts'
import type { Task } from './task.ts'

/** Changelog offsets that are read in a moment. */
const tailMax = 10_000

export interface TakeoverOptions {
  readonly log: Log
  readonly clock: Clock
  readonly logger: Logger
  readonly group: string
  readonly storage: StateStorage
  readonly directory: string
  readonly task: Task
  readonly changelog: (store: string) => ChangelogIdentity
  readonly deleteRetentionMs: (topic: string) => number
  /** Repartition topics, from which processed records are deleted. */
  readonly purgedTopics: ReadonlySet<string>
  /** True: nobody else writes to the sinks of this topology, so a fresh task has to find them empty. */
  readonly exclusiveOutputs: boolean
  readonly signal: AbortSignal
  /** True: the owner of these transactional ids is in the group, and decides what it has open by itself. */
  readonly isMember: (idPrefix: string) => boolean
  readonly instruments: RestoreInstruments
  /** Waited for before each write, so that tasks that run have their turn. */
  readonly turn: (signal: AbortSignal) => Promise<void>
  /** Bounds how many tasks are restored at a time. */
  readonly slots: Slots
}

/**
 * Restores the task and sets it to its committed position; gives it up half done when `signal` aborts, at once: nobody
 * waits for a log that is away. Errors:
 * PROCESSOR_POSITION_LOST, PROCESSOR_OTHER_APP, PROCESSOR_FENCED (somebody else has the task by now), and the log's.
 */
export async function takeOver(options: TakeoverOptions): Promise<void> {
  const { log, task, group } = options
  const inputs: TopicPartition[] = task.inputs.map(({ topic, partition }) => ({ topic, partition }))
  const committed = await stableOffsets(options, inputs, changelogPartitions(options))
  if (committed === undefined || options.signal.aborted) return
  const changelogs = await changelogsOf(options)
  if (changelogs === undefined) return
  task.state.discard()
  const { clock, logger, instruments } = options
  const report = new RestoreReport({ taskId: task.taskId, clock, logger, instruments })
  const onProgress = (progress: RestoreProgress): void => report.note(progress)
  const restore = (): Promise<number> =>
    restoreStores({ ...options, state: task.state, changelogs, onProgress })
  // Who lacks only the tail does not queue behind those that lack everything.
  await (missing(task.state, changelogs) > tailMax ? options.slots.hold(options.signal, restore) : restore())
  // A state that is restored half tells nothing about the position.
  if (options.signal.aborted) return report.dropped()
  report.done()
  if (options.exclusiveOutputs && task.state.position() === undefined && committed.every(isMissing)) {
    const { partition, subtopology } = task
    const outputs = subtopology.sinks.filter(({ samePartition }) => samePartition)
    const partitions = outputs.map(({ topic }) => ({ topic, partition }))
    await orAborted(options.signal, assertOutputsEmpty(log, partitions, { group, task: task.taskId }))
  }
  const edges = await orAborted(options.signal, log.admin.offsets(inputs))
  if (edges === undefined || options.signal.aborted) return
  try {
    task.startFrom(startPosition(options, committed, edges))
  } catch (error) {
    if (isMillraceError(error, 'PROCESSOR_POSITION_LOST')) await throwIfOvertaken(options, committed)
    throw error
  }
}

/** Changelog offsets that are not in the state. */
function missing(state: TaskState, changelogs: readonly StoreChangelog[]): number {
  return changelogs.reduce((sum, { store, facts }) => {
    return sum + Math.max(0, facts.end - (state.checkpoint(store)?.offset ?? facts.start))
  }, 0)
}

function isMissing({ offset }: CommittedOffset): boolean {
  return offset === undefined
}

/** A successor that has gone on, and purged what it read, leaves the same traces as a position that is lost. */
async function throwIfOvertaken(
  { log, task, group, signal }: TakeoverOptions,
  before: readonly CommittedOffset[],
): Promise<void> {
  const asked = log.admin.committedOffsets(group, before, { requireStable: true })
  const now = await orAborted(signal, asked)
  if (now === undefined) return
  if (now.every(({ offset }, index) => offset === before[index]?.offset)) return
  throw processorError(
    'PROCESSOR_FENCED',
    `Another process has worked on task ${task.taskId} while this one was taking it over. Start again to rejoin.`,
  )
}

/** Opens the task's state, and wipes it first when it cannot be continued from; undefined when it is given up. */
async function changelogsOf(options: TakeoverOptions): Promise<readonly StoreChangelog[] | undefined> {
  const { task, clock } = options
  const changelogs = await describeChangelogs(options)
  if (changelogs === undefined) return undefined
  const its = { ...options, taskId: task.taskId, stores: task.subtopology.stores }
  if (!task.hasState) task.attach(await openTaskState(its))
  const why = whyNotContinued(task.state, changelogs, clock.now())
  if (why === undefined) return changelogs
  await task.close()
  await wipeTaskState(its, why)
  task.attach(await openTaskState(its))
  return changelogs
}

function changelogPartitions({ task, changelog }: TakeoverOptions): TopicPartition[] {
  const { partition, subtopology } = task
  return subtopology.stores.map(({ name }) => ({ topic: changelog(name).topic, partition }))
}

async function describeChangelogs(options: TakeoverOptions): Promise<StoreChangelog[] | undefined> {
  const { task } = options
  const identities = task.subtopology.stores.map(({ name }) => ({ store: name, ...options.changelog(name) }))
  const offsets = await decidedEnds(options, task.inputs, changelogPartitions(options))
  if (offsets === undefined) return undefined
  return identities.map(({ store, topic, clusterId, topicId }) => {
    const { start, highWatermark } = offsets.find((entry) => entry.topic === topic) as PartitionOffsets
    const facts: ChangelogFacts = {
      clusterId,
      topicId,
      start,
      end: highWatermark,
      deleteRetentionMs: options.deleteRetentionMs(topic),
    }
    return { store, topic, partition: task.partition, facts }
  })
}

/**
 * Where the input goes on. The position in the changelog wins where the committed offset is missing or lower (those
 * of an empty group expire, state does not). From the beginning only when there is no trace of earlier work.
 */
function startPosition(
  { task, purgedTopics }: TakeoverOptions,
  committed: readonly CommittedOffset[],
  edges: readonly PartitionOffsets[],
): TaskPosition {
  const kept = task.state.position()
  // Not by the changelogs' offsets: transactions that were given up leave offsets behind, and nothing else.
  const untouched = task.subtopology.stores.every(({ name }) => task.state.dump(name).next().done === true)
  const inputs = task.inputs.map(({ topic, partition }) => {
    const same = (entry: TopicPartition): boolean => entry.topic === topic && entry.partition === partition
    const offsets = [committed.find(same)?.offset, kept?.inputs.find(same)?.offset]
    const known = offsets.filter((offset) => offset !== undefined)
    const edge = edges.find(same) as PartitionOffsets
    if (known.length === 0 && !untouched) {
      throw positionLost(task, `there is state, but no position for ${topic}-${partition}`)
    }
    if (known.length === 0 && edge.start > 0 && purgedTopics.has(topic)) {
      throw positionLost(task, `records of ${topic}-${partition} were processed, but there is no position`)
    }
    const offset = known.length === 0 ? edge.start : Math.max(...known)
    if (offset < edge.start || offset > edge.highWatermark) {
      throw positionLost(
        task,
        `${topic}-${partition} goes on at offset ${offset}, but the log holds ${edge.start} to ${edge.highWatermark}`,
      )
    }
    return { topic, partition, offset }
  })
  return { inputs, streamTime: kept?.streamTime ?? streamTimeOf(committed) }
}

function positionLost(task: Task, why: string): Error {
  return processorError(
    'PROCESSOR_POSITION_LOST',
    `Task ${task.taskId} cannot tell where to go on: ${why}. ` +
      'Restore the topic or the group offsets, or reset the application; nothing was skipped or repeated.',
    { context: { task: task.taskId, why } },
  )
}
