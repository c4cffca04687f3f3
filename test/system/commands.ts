/** Commands given to a system: over HTTP, or straight into the log of a stopped one. */
import { commandSerde, formatClaimId } from '#domain/coupon'
import type { CouponTopics } from '#domain/coupon'
import { partitionOf } from '#log'
import type { Log } from '#log'
import { encode } from '#topology'
import type { System } from './system.ts'

/** As the program's default. */
export const partitions = 4

/** Some on every partition. */
export const coupons = ['first', 'second', 'third', 'fourth', 'fifth', 'eighth']

export function partitionOfCoupon(couponId: string): number {
  return partitionOf(couponId, partitions)
}

export async function openCoupon(
  system: System,
  couponId: string,
  terms: { readonly stock: number; readonly perUserLimit?: number },
): Promise<void> {
  const { status, body } = await system.http.send('POST', '/api/v1/coupons', { couponId, ...terms })
  if (status !== 201) throw new Error(`opening ${couponId} answered ${status}: ${JSON.stringify(body)}`)
}

/** Appends `count` claims of as many users to the stopped system's log; returns the last one's id. */
export function backlog(system: System, couponId: string, count: number): Promise<string> {
  return system.withLog((log) => appendClaims(log, system.topics, couponId, count))
}

async function appendClaims(
  log: Log,
  topics: CouponTopics,
  couponId: string,
  count: number,
): Promise<string> {
  const appender = log.appender({ bufferBytesMax: 1 << 30 })
  const nonce = '0123456789abcdef'
  const appended = await Promise.all(
    Array.from({ length: count }, (_, at) => {
      const userId = `user-${at}`
      const value = encode(commandSerde, { command: 'issue', couponId, by: userId, nonce, userId })
      return appender.append({ topic: topics.issue, key: couponId, value })
    }),
  )
  await appender.close()
  const last = appended.at(-1)
  if (last === undefined) throw new RangeError('a backlog has at least one claim')
  return formatClaimId({ nonce, version: topics.version, ...last })
}
