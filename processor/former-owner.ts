/**
 * Getting a former owner's transaction out of the way. One that has given the task back in order has decided it, and
 * the log shows that in a moment. Of one that died it stays open until the log times it out, so its successor ends it,
 * by taking over the transactional ids that the committed offsets name.
 */
import { orAborted } from '#core'
import type { Clock, Logger } from '#core'
import type { CommittedOffset, Log, PartitionOffsets, TopicPartition } from '#log'

/** Long enough for a decision to be written everywhere, and short beside what waiting for a dead owner costs. */
const graceMs = 100
const pollMs = 10
/** As long as it is undecided, its owner is looked at again. */
const againMs = 1000

export interface FormerOwnerOptions {
  readonly log: Log
  readonly clock: Clock
  readonly logger: Logger
  readonly group: string
  readonly signal: AbortSignal
  /** True: the owner of these transactional ids is in the group, and decides by itself. */
  readonly isMember: (idPrefix: string) => boolean
}

/**
 * The committed offsets, once nothing that could change them is undecided; undefined when the signal comes first. An
 * owner that died in its first transaction is not named by them, but has written into the changelogs.
 * Errors: LOG_UNSTABLE_OFFSETS and others.
 */
export async function stableOffsets(
  options: FormerOwnerOptions,
  inputs: readonly TopicPartition[],
  changelogs: readonly TopicPartition[],
): Promise<readonly CommittedOffset[] | undefined> {
  const { log, group, clock, signal } = options
  const answered = new AbortController()
  const stable = log.admin
    .committedOffsets(group, inputs, { requireStable: true })
    .finally(() => answered.abort())
  // Looked at below; it may fail while its owner is being fenced.
  stable.catch(() => undefined)
  const waiting = AbortSignal.any([answered.signal, signal])
  for (let waitMs = graceMs; ; waitMs = againMs) {
    await clock.sleep(waitMs, waiting)
    if (signal.aborted) return undefined
    if (answered.signal.aborted) return stable
    // An owner that was a member a moment ago may have died since.
    await orAborted(waiting, endUndecided({ ...options, signal: waiting }, inputs, changelogs))
  }
}

/**
 * The ends of the changelogs, once no transaction is open on them; still with one when its owner is alive. Undefined when
 * the signal comes first.
 */
export async function decidedEnds(
  options: FormerOwnerOptions,
  inputs: readonly TopicPartition[],
  changelogs: readonly TopicPartition[],
): Promise<readonly PartitionOffsets[] | undefined> {
  const { log, clock, signal } = options
  const until = clock.now() + graceMs
  for (;;) {
    const ends = await orAborted(signal, log.admin.offsets(changelogs))
    if (ends === undefined || signal.aborted) return undefined
    const isOpen = ends.some(({ lastStableOffset, highWatermark }) => lastStableOffset < highWatermark)
    if (!isOpen) return ends
    if (clock.now() >= until) {
      await orAborted(signal, endUndecided(options, inputs, changelogs))
      return orAborted(signal, log.admin.offsets(changelogs))
    }
    await clock.sleep(pollMs, signal)
  }
}

/** What is written beside committed offsets: whose transaction it was, and the stream time for tasks without stores. */
export function offsetMetadata(idPrefix: string, transactors: number, streamTime: number): string {
  return `${idPrefix};${transactors};${streamTime}`
}

/** -1 when none is named. */
export function streamTimeOf(committed: readonly CommittedOffset[]): number {
  const times = committed.map(({ metadata }) => Number(metadata.split(';')[2] ?? -1))
  return Math.max(-1, ...times.filter((time) => Number.isSafeInteger(time)))
}

async function endUndecided(
  options: FormerOwnerOptions,
  inputs: readonly TopicPartition[],
  changelogs: readonly TopicPartition[],
): Promise<void> {
  await endTransactions(options, inputs)
  await endOpenTransactions(options, changelogs)
}

async function endTransactions(
  options: FormerOwnerOptions,
  inputs: readonly TopicPartition[],
): Promise<void> {
  const { log, group } = options
  const committed = await log.admin.committedOffsets(group, inputs, { requireStable: false })
  const owners = new Map(committed.map(({ metadata }) => ownerOf(metadata)))
  for (const [idPrefix, transactors] of owners) {
    if (idPrefix === '') continue
    for (let number = 0; number < transactors; number++) await end(options, idPrefix, number)
  }
}

/** Of an owner that died before it had committed anything, only the log knows. */
async function endOpenTransactions(
  options: FormerOwnerOptions,
  changelogs: readonly TopicPartition[],
): Promise<void> {
  const { log, group } = options
  for (const transactionalId of await log.admin.openTransactions(changelogs)) {
    const dash = transactionalId.lastIndexOf('-')
    const idPrefix = transactionalId.slice(0, dash)
    // The group's name begins the ids of all its members: nobody else is touched.
    if (idPrefix.startsWith(`${group}-`)) await end(options, idPrefix, transactionalId.slice(dash + 1))
  }
}

/** Looks again before each: meanwhile the owner may have come back, or nobody may want it any more. */
async function end(
  { log, logger, isMember, signal }: FormerOwnerOptions,
  idPrefix: string,
  number: number | string,
): Promise<void> {
  if (signal.aborted || isMember(idPrefix)) return
  const transactionalId = `${idPrefix}-${number}`
  logger.info({ transactionalId }, 'taking over the transactional id of a former owner')
  await (await log.transactor(transactionalId)).close()
}

function ownerOf(metadata: string): readonly [idPrefix: string, transactors: number] {
  const [idPrefix = '', transactors = ''] = metadata.split(';')
  return [idPrefix, Number.isSafeInteger(Number(transactors)) ? Number(transactors) : 0]
}
