import type { RecordHeaders } from '#core'
import type { CouponCommand, CouponResult } from '#domain/coupon'
import { HttpProblem } from '../http/problem.ts'
import { appendCommand } from './backend.ts'
import type { Backend } from './backend.ts'

const decisionMsMax = 10_000

/**
 * Appends a command and waits until its result is committed and in this gateway's views.
 * Errors: overloaded (nothing appended), outcome-unknown (not decided in 10 s); those of Appender.append.
 */
export async function decisionOf(
  backend: Backend,
  command: CouponCommand,
  headers: RecordHeaders | undefined,
): Promise<CouponResult> {
  const { waiters, results } = backend
  if (waiters.full)
    throw new HttpProblem('overloaded', { detail: 'Too many requests wait. Nothing was written.' })
  const { partition, offset } = await appendCommand(backend, command, headers)
  const found = results.find(partition, offset)
  const result =
    found.kind === 'decided' ? found.result : await waiters.wait(partition, offset, decisionMsMax)
  if (result !== undefined) return result
  throw new HttpProblem('outcome-unknown', {
    detail:
      'The request is in the log but not decided yet. Repeat it with the same Idempotency-Key, or look later.',
  })
}
