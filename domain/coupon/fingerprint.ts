import { termsText } from './coupon-json.ts'
import type { CouponCommand } from './messages.ts'

/**
 * Who asked for what, as one text: two commands under one Idempotency-Key are the same request when their
 * fingerprints are equal. It is the content itself, not a hash, so it cannot collide; ids hold no space.
 */
export function fingerprintOf(command: CouponCommand): string {
  switch (command.command) {
    case 'issue':
      return 'issue ' + command.userId
    case 'cancel':
      return 'cancel ' + command.userId + ' ' + command.claimId
    case 'open':
      return 'open ' + termsText(command.terms) + ' ' + command.by
    case 'restock':
      return 'restock ' + command.add + ' ' + command.by
    case 'pause':
    case 'resume':
    case 'close':
      break
  }
  return command.command + ' ' + command.by
}
