/** What a gateway has once the log is there; before that every call that needs it answers `log-unavailable`. */
import type { Appender, Log } from '#log'
import type { CouponCommand, CouponTopics } from '#domain/coupon'
import { commandSerde } from '#domain/coupon'
import { ByteWriter } from '#core'
import type { RecordHeaders } from '#core'
import type { CommandReader } from '../views/command-reader.ts'
import type { CouponView } from '../views/coupon-view.ts'
import type { Follower } from '../views/follower.ts'
import type { ResultView } from '../views/result-view.ts'
import type { StatusLookUp } from '../views/status-look-up.ts'
import type { Waiters } from '../views/waiters.ts'
import type { KeysInFlight } from './keys-in-flight.ts'

export interface Backend {
  readonly log: Log
  readonly topics: CouponTopics
  readonly partitions: number
  readonly appender: Appender
  readonly coupons: CouponView
  readonly results: ResultView
  readonly waiters: Waiters
  readonly keys: KeysInFlight
  readonly follower: Follower
  readonly lookUp: StatusLookUp
  readonly commands: CommandReader
  readonly onAppend: (outcome: 'appended' | 'failed') => void
}

/** Where a command is in line. */
export interface Place {
  readonly partition: number
  readonly offset: number
}

const scratch = new ByteWriter(4096)

/** Appends a command under its coupon. Errors: those of Appender.append. */
export async function appendCommand(
  { appender, topics, onAppend }: Backend,
  command: CouponCommand,
  headers: RecordHeaders | undefined,
): Promise<Place> {
  scratch.length = 0
  commandSerde.write(command, scratch)
  const record = { topic: topics.issue, key: command.couponId, value: scratch.toBuffer() }
  try {
    const appended = await appender.append(headers === undefined ? record : { ...record, headers })
    onAppend('appended')
    return appended
  } catch (error) {
    onAppend('failed')
    throw error
  }
}
