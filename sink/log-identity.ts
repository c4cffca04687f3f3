/** Which log the stores follow, and what of it is still there. */
import { everyPartition } from '#log'
import type { Log, LogAdmin } from '#log'
import { sinkError } from './errors.ts'

/** The part of the log port that the sink uses; a remote log needs to serve no more. */
export interface SinkLog extends Pick<Log, 'clusterId' | 'reader'> {
  readonly admin: Pick<LogAdmin, 'describeTopics' | 'offsets'>
}

export interface LogIdentity {
  /** Cluster id and topic id: another topic under the same name is another log. */
  readonly logId: string
  readonly topic: string
  readonly partitions: number
}

/** Errors: SINK_TOPIC_MISSING (retry), and those of the log. */
export async function identify(log: SinkLog, topic: string): Promise<LogIdentity> {
  const description = (await log.admin.describeTopics([topic])).get(topic)
  if (description === undefined) {
    throw sinkError('SINK_TOPIC_MISSING', `The topic ${topic} does not exist yet. Start the processor.`, {
      context: { topic },
    })
  }
  const { topicId, partitions } = description
  return { logId: `${log.clusterId}/${topicId}`, topic, partitions }
}

/**
 * Checks that everything from `positions` on is still there.
 * Errors: SINK_HISTORY_GONE (the log starts later), SINK_LOG_CHANGED (it ends earlier: it is not the same log).
 * @param what the store, as the beginning of the message
 * @returns the exclusive end of what is committed, per partition
 */
export async function checkHistory(
  log: SinkLog,
  { topic, partitions }: LogIdentity,
  positions: readonly number[],
  what: string,
): Promise<number[]> {
  const asked = everyPartition(topic, partitions)
  const ends: number[] = Array.from({ length: partitions }, () => 0)
  for (const { partition, start, highWatermark, lastStableOffset } of await log.admin.offsets(asked)) {
    const position = positions[partition] ?? 0
    const context = { topic, partition, position, start, highWatermark }
    if (position < start) {
      throw sinkError(
        'SINK_HISTORY_GONE',
        `${what} need ${topic}-${partition} from offset ${position}, but it now starts at ${start}. ` +
          'Restore the topic, or restore a backup of the store that reaches it; keep results with retention.ms=-1.',
        { context },
      )
    }
    if (position > highWatermark) {
      throw sinkError(
        'SINK_LOG_CHANGED',
        `${what} have read ${topic}-${partition} to offset ${position}, but it ends at ${highWatermark}: the log lost ` +
          `records or was replaced. Put back a backup of the log, or ${emptyStores}.`,
        { context },
      )
    }
    ends[partition] = lastStableOffset
  }
  return ends
}

/** The way to copies of this log, in the words of the settings. */
const emptyStores =
  'stop and give it empty stores: an empty database in DATABASE_URL (of PGlite, delete the directory), and the keys in ' +
  'REDIS_URL flushed; both are rebuilt from this log'

export function logChanged(what: string, found: string, identity: LogIdentity): Error {
  return sinkError(
    'SINK_LOG_CHANGED',
    `${what} follow another log (${found}) than the one configured (${identity.logId}). ` +
      `Set LOG_URL back, or ${emptyStores}.`,
    { context: { found, expected: identity.logId, topic: identity.topic } },
  )
}
