/** Keys of the view on disk: a kind byte, then big-endian numbers, so that entries of one kind lie in order. */
import { writeI64 } from '#core'

const kind = {
  identity: 0x00,
  /** partition → positions */
  position: 0x01,
  /** partition, offset of the first command decided in it → a batch of `coupon-result` as it was fetched */
  batch: 0x02,
  /** partition, time slot → offset of the first command decided in that slot */
  timeMark: 0x03,
  /** retention bucket, coupon and Idempotency-Key → position of the first command under it */
  idempotency: 0x04,
  /** partition, offset of a claim's command → when it was given back */
  cancelled: 0x05,
  /** coupon → its counts and terms */
  coupon: 0x06,
} as const

export const identityKey = Buffer.from([kind.identity])

export function positionKey(partition: number): Buffer {
  const key = Buffer.alloc(3)
  key[0] = kind.position
  key.writeUInt16BE(partition, 1)
  return key
}

function placeKey(of: number, partition: number, place: number): Buffer {
  const key = Buffer.alloc(11)
  key[0] = of
  key.writeUInt16BE(partition, 1)
  writeI64(key, 3, place)
  return key
}

export function batchKey(partition: number, offset: number): Buffer {
  return placeKey(kind.batch, partition, offset)
}

export function timeMarkKey(partition: number, slot: number): Buffer {
  return placeKey(kind.timeMark, partition, slot)
}

export function cancelledKey(partition: number, offset: number): Buffer {
  return placeKey(kind.cancelled, partition, offset)
}

/** The number at the end of a batch's or a time mark's key. */
export function placeOf(key: Buffer): number {
  return key.readInt32BE(3) * 0x1_0000_0000 + key.readUInt32BE(7)
}

export function idempotencyBucketKey(bucket: number): Buffer {
  const key = Buffer.alloc(5)
  key[0] = kind.idempotency
  key.writeUInt32BE(bucket, 1)
  return key
}

/** Ids hold no NUL, so the pair is unambiguous. */
export function idempotencyKey(bucket: number, couponId: string, key: string): Buffer {
  return Buffer.concat([idempotencyBucketKey(bucket), Buffer.from(`${couponId}\0${key}`)])
}

export const couponPrefix = Buffer.from([kind.coupon])

export function couponKey(couponId: string): Buffer {
  return Buffer.concat([couponPrefix, Buffer.from(couponId)])
}
