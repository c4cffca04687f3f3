/** Nonces from a pool: one call for randomness serves many claims. */
import { randomFillSync } from 'node:crypto'

const nonceBytes = 8
const pool = Buffer.allocUnsafeSlow(nonceBytes * 512)
let used = pool.length

/** 64 random bits as 16 hex digits. */
export function nextNonce(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += nonceBytes
  return pool.toString('hex', used - nonceBytes, used)
}
