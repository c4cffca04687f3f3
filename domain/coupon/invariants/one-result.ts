/** Invariant 4: every command in the log has exactly one result, beside it and about it. */
import { userOf } from '../rules.ts'
import type { CouponCommand, CouponResult } from '../messages.ts'
import type { PartitionHistory, Violation } from './history.ts'

export interface OneResultOptions {
  /** Places that were told to somebody as appended. */
  readonly acknowledged?: readonly { readonly offset: number; readonly nonce: string }[]
  /** False while processing goes on: commands behind the last result may wait for theirs. Default true. */
  readonly atRest?: boolean
}

export function checkOneResult(history: PartitionHistory, options: OneResultOptions = {}): Violation[] {
  const { acknowledged = [], atRest = true } = options
  const { partition, commands, results } = history
  const violations: Violation[] = []
  const report = (offset: number, message: string): void => {
    violations.push({ invariant: 4, message, partition, offset })
  }

  const byOffset = new Map<number, CouponCommand>()
  for (const { offset, command } of commands) if (command !== undefined) byOffset.set(offset, command)
  const answered = new Set<number>()
  let last = -1
  for (const result of results) {
    const { offset } = result
    const command = byOffset.get(offset)
    if (answered.has(offset)) report(offset, 'the command has more than one result')
    else if (offset < last) report(offset, `its result comes after that of offset ${last}`)
    if (command === undefined) report(offset, 'there is a result, but no command')
    else if (!isAbout(result, command, partition)) report(offset, 'its result is about another command')
    answered.add(offset)
    last = Math.max(last, offset)
  }
  for (const offset of byOffset.keys()) {
    if (!answered.has(offset) && (atRest || offset < last)) report(offset, 'the command has no result')
  }
  for (const { offset, nonce } of acknowledged) {
    if (byOffset.get(offset)?.nonce !== nonce)
      report(offset, `the acknowledged request ${nonce} is not in the log`)
  }
  return violations
}

function isAbout(result: CouponResult, command: CouponCommand, partition: number): boolean {
  return (
    result.partition === partition &&
    result.nonce === command.nonce &&
    result.command === command.command &&
    result.couponId === command.couponId &&
    result.userId === userOf(command) &&
    result.idempotencyKey === command.idempotencyKey
  )
}
