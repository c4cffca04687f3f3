import { claimRequest } from '../load/claim-request.ts'
import { ConnectionPool } from '../load/connection-pool.ts'
import { openLoop } from '../load/open-loop.ts'
import { watchWinners, winnersInPostgres, winnersOverHttp } from '../load/winners.ts'
import type { Winners } from '../load/winners.ts'
import { measured } from '../runner/measured.ts'
import { claimLatencyScript } from './scripts.ts'
import type { ClaimLatencyInput } from './scripts.ts'

const connectionsMax = 1024
const claimIdMember = /"claimId":"([^"]+)"/

measured(claimLatencyScript, async (input) => {
  const { target, schedule, rows } = input
  const status = target.prefer === undefined ? 202 : 201
  const pool = new ConnectionPool(target.url, connectionsMax)
  const winners = rows === undefined ? undefined : await winnersOf(rows, input)
  const total = schedule.perSecond * (schedule.warmupSeconds + schedule.seconds)
  const watching = winners === undefined ? undefined : watchWinners(winners, total)
  // Heard below; a failure before that must not end the process unsaid.
  watching?.catch(() => {})
  try {
    const claims = await openLoop(schedule, async (index, dueAt) => {
      const answer = await pool.exchange(claimRequest(target, `user-${index}`))
      if (answer.status !== status) throw new Error(`a claim was answered ${answer.status}: ${answer.body}`)
      const claimId = claimIdMember.exec(answer.body)?.[1] ?? ''
      return { dueAt, claimId, answerMs: performance.now() - dueAt }
    })
    const answerMs = claims.map((claim) => claim.answerMs)
    const seenAt = await watching
    if (seenAt === undefined) return { answerMs }
    const rowMs = claims.map(({ claimId, dueAt }) => {
      const seen = seenAt.get(claimId)
      if (seen === undefined) throw new Error(`claim ${claimId} has no row`)
      return seen - dueAt
    })
    return { answerMs, rowMs }
  } finally {
    pool.close()
    await winners?.close()
  }
})

async function winnersOf(
  rows: NonNullable<ClaimLatencyInput['rows']>,
  { target }: ClaimLatencyInput,
): Promise<Winners> {
  return rows.databaseUrl === undefined
    ? winnersOverHttp(target.url, target.couponId)
    : winnersInPostgres(rows.databaseUrl, target.couponId)
}
