/**
 * Turns what was computed into one transaction: outputs, the changelog of every touched store, each task's position,
 * and the input offsets that fence it.
 */
import type { GroupMetadata, PartitionOffset, RecordBatchBuilder, TransactionRequest } from '#log'
import type { Checkpoint } from '#state'
import type { Task, TaskProgress } from '../task.ts'
import type { OutputTarget, TransactionOutputs } from '../transaction-outputs.ts'

/** The changelog topic of a store, and which one it is. */
export interface ChangelogIdentity {
  readonly topic: string
  readonly clusterId: string
  readonly topicId: string
}

export interface SealOptions {
  readonly outputs: TransactionOutputs
  /** Every task that consumed something or punctuated, each once: the offsets of all of them fence the transaction. */
  readonly tasks: readonly Task[]
  readonly group: GroupMetadata
  readonly changelog: (store: string) => ChangelogIdentity
  /** Wall-clock milliseconds: the changelog records' timestamp. */
  readonly now: number
  /** Kept beside each committed offset; tells a successor whose open transaction it waits for. */
  readonly offsetMetadata: (streamTime: number) => string
}

export interface SealedChangelog {
  readonly store: string
  readonly builders: RecordBatchBuilder[]
  readonly identity: ChangelogIdentity
}

interface SealedTask {
  readonly task: Task
  readonly position: TaskProgress
  readonly changelogs: readonly SealedChangelog[]
}

export interface SealedTransaction {
  readonly request: TransactionRequest
  readonly outputs: TransactionOutputs
  readonly tasks: readonly SealedTask[]
  readonly now: number
}

/**
 * Errors: PROCESSOR_OUTPUT_TOO_LARGE when one entry of a store is larger than its changelog takes. Nobody can say then
 * which record is to blame, so it stops the thread instead of setting one aside.
 */
export function seal(options: SealOptions): SealedTransaction {
  const tasks = options.tasks.map((task) => sealTask(task, options))
  const offsets: (PartitionOffset & { metadata: string })[] = []
  for (const { position } of tasks) {
    const metadata = options.offsetMetadata(position.streamTime)
    for (const input of position.inputs) offsets.push({ ...input, metadata })
  }
  options.outputs.release()
  const request = { appends: options.outputs.appends(), group: options.group, offsets }
  return { request, outputs: options.outputs, tasks, now: options.now }
}

function sealTask(task: Task, options: SealOptions): SealedTask {
  const { outputs, now } = options
  const position = task.position()
  const { state } = task
  const { positionStore } = state
  if (positionStore === undefined) return { task, position, changelogs: [] }
  const stores = new Set([positionStore, ...state.dirtyStores()])
  const targetOf = (store: string): OutputTarget =>
    outputs.target(options.changelog(store).topic, task.partition)
  const changelogs = [...stores].map((store): SealedChangelog => {
    const identity = options.changelog(store)
    const target = targetOf(store)
    if (store === positionStore) state.sealPosition(position, target.open(), now)
    return { store, builders: target.builders, identity }
  })
  state.seal((store) => {
    const target = targetOf(store)
    target.checkLast()
    return target.open()
  }, now)
  for (const store of stores) targetOf(store).checkLast()
  // What was written may have been taken back: a store without records keeps the checkpoint that it has.
  return {
    task,
    position,
    changelogs: changelogs.filter(({ builders }) => builders.some(({ count }) => count > 0)),
  }
}

/** For each changelog the checkpoint that its committed end offset makes. */
export function checkpointsOf(
  sealed: SealedTransaction,
  endOffsets: readonly number[],
): (changelog: SealedChangelog) => Checkpoint {
  const ends = new Map<RecordBatchBuilder, number>()
  for (const [index, { records }] of sealed.request.appends.entries())
    ends.set(records, endOffsets[index] ?? 0)
  return ({ builders, identity }) => ({
    clusterId: identity.clusterId,
    topicId: identity.topicId,
    offset: Math.max(...builders.map((builder) => ends.get(builder) ?? 0)),
    writtenAt: sealed.now,
  })
}
