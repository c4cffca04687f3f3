/** Commands on `coupon-issue`: JSON, checked on reading, because anybody who reaches the log may have written it. */
import { MillraceError } from '#core'
import type { Serde } from '#topology'
import { termsText } from './coupon-json.ts'
import { isValidId, isValidIdempotencyKey } from './ids.ts'
import { scanIssue } from './issue-scan.ts'
import { quoted } from './json-text.ts'
import type { CouponCommand } from './messages.ts'
import { limits } from './messages.ts'
import { checkTerms } from './terms.ts'

const nonceForm = /^[0-9a-f]{16}$/
const byLengthMax = 256

/**
 * Reading throws COUPON_COMMAND_INVALID on anything but a command within the limits of the contract; the engine then
 * sends the record to the dead letters. Unknown members are ignored: v1 only grows.
 */
export const commandSerde: Serde<CouponCommand> = {
  name: 'coupon-command',
  write: (command, out) => void out.utf8(commandText(command)),
  read: (buffer, start, end) =>
    scanIssue(buffer, start, end) ?? checkCommand(JSON.parse(buffer.toString('utf8', start, end))),
}

function commandText(command: CouponCommand): string {
  let text = '{"command":"' + command.command + '","couponId":' + quoted(command.couponId)
  switch (command.command) {
    case 'issue':
      text += ',"userId":' + quoted(command.userId)
      break
    case 'cancel':
      text += ',"userId":' + quoted(command.userId) + ',"claimId":' + quoted(command.claimId)
      break
    case 'open':
      text += ',"terms":' + termsText(command.terms)
      break
    case 'restock':
      text += ',"add":' + command.add
      break
    case 'pause':
    case 'resume':
    case 'close':
      break
  }
  text += ',"by":' + quoted(command.by) + ',"nonce":' + quoted(command.nonce)
  if (command.idempotencyKey !== undefined) text += ',"idempotencyKey":' + quoted(command.idempotencyKey)
  return text + '}'
}

/** The command with its known members only. Throws COUPON_COMMAND_INVALID. */
export function checkCommand(value: unknown): CouponCommand {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('it is not an object')
  const { command, couponId, by, nonce, idempotencyKey, userId, claimId, terms, add } = value as Readonly<
    Record<string, unknown>
  >
  if (!isValidId(couponId)) throw invalid('couponId is not an id')
  if (typeof by !== 'string' || by === '' || by.length > byLengthMax) throw invalid('by is not a name')
  if (typeof nonce !== 'string' || !nonceForm.test(nonce)) throw invalid('nonce is not 16 hex digits')
  if (idempotencyKey !== undefined && !isValidIdempotencyKey(idempotencyKey)) {
    throw invalid('idempotencyKey is not of the alphabet of ids')
  }
  const base =
    idempotencyKey === undefined ? { couponId, by, nonce } : { couponId, by, nonce, idempotencyKey }
  switch (command) {
    case 'issue':
      if (!isValidId(userId)) throw invalid('userId is not an id')
      return { command, userId, ...base }
    case 'cancel':
      if (!isValidId(userId)) throw invalid('userId is not an id')
      if (!isValidId(claimId)) throw invalid('claimId is not an id')
      return { command, userId, claimId, ...base }
    case 'open':
      return { command, terms: checkTerms(terms, invalid), ...base }
    case 'restock':
      if (!Number.isSafeInteger(add) || (add as number) < 1 || (add as number) > limits.addMax) {
        throw invalid('add is not an integer from 1 to 1e12')
      }
      return { command, add: add as number, ...base }
    case 'pause':
    case 'resume':
    case 'close':
      return { command, ...base }
    default:
      throw invalid('its command is none of open, restock, pause, resume, close, issue, cancel')
  }
}

function invalid(why: string): MillraceError {
  return new MillraceError(
    'COUPON_COMMAND_INVALID',
    `This is not a coupon command: ${why}. Correct its writer; the record is kept in the dead letters.`,
    { domain: 'user', reaction: 'stop' },
  )
}
