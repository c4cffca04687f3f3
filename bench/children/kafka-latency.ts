/** Appends claims to Kafka at a fixed rate and reads their results, decided by somebody else. */
import { claimTopics } from '../engine/claims.ts'
import { Decisions, couponOfEach, claimOf, openingOf } from '../engine/decisions.ts'
import { withLog } from '../engine/with-log.ts'
import { openLoop } from '../load/open-loop.ts'
import { measured } from '../runner/measured.ts'
import { kafkaLatencyScript } from './scripts.ts'

measured(kafkaLatencyScript, ({ brokers, claims, schedule }) =>
  withLog({ brokers }, async (log) => {
    const appender = log.appender()
    const decisions = new Decisions(claimTopics(claims), log.reader())
    const following = decisions.follow()
    try {
      for (const couponId of couponOfEach) await decisions.of(appender, openingOf(couponId))
      const decisionMs = await openLoop(schedule, async (index) => {
        const acknowledgedAt = await decisions.of(appender, claimOf(index))
        return performance.now() - acknowledgedAt
      })
      const total = schedule.perSecond * (schedule.warmupSeconds + schedule.seconds)
      if (decisions.issued !== total) throw new Error(`${decisions.issued} are issued, not ${total}`)
      return { decisionMs }
    } finally {
      decisions.stop()
      await following
    }
  }),
)
