/** The public topics with their settings; changelogs and dead letters are the processor's own. */
import { couponTopics } from '#domain/coupon'
import type { CouponTopics } from '#domain/coupon'
import type { TopicSpec } from '#log'
import type { Settings } from '../settings.ts'

export function topicNames(settings: Settings): CouponTopics {
  return couponTopics({ prefix: settings.topicPrefix })
}

/**
 * Commands and results are kept for ever: replay and verification need the whole history. Commands carry the log's
 * own time, which is the only clock of every decision. A result lies in its command's partition number, so the
 * counts are equal.
 */
export function topicSpecs(settings: Settings): TopicSpec[] {
  const { issue, result, status } = topicNames(settings)
  const { partitions, replicationFactor } = settings
  const all = { partitions, ...(replicationFactor === undefined ? {} : { replicationFactor }) }
  return [
    { ...all, name: issue, settings: { cleanup: 'delete', retentionMs: -1, timestamps: 'log-append' } },
    { ...all, name: result, settings: { cleanup: 'delete', retentionMs: -1 } },
    { ...all, name: status, settings: { cleanup: 'compact' } },
  ]
}
