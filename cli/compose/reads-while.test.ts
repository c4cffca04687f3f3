import { expect, it } from 'vitest'
import { readsWhile } from './reads-while.ts'

it('answers lists while the tables follow the log, and again when they do again', async () => {
  let follows = true
  const reads = readsWhile(() => follows, {
    winners: async () => ({ items: [] }),
    userCoupons: async () => ({ items: [] }),
  })
  expect(await reads.winners('one', { limit: 1 })).toEqual({ items: [] })
  follows = false
  const away = { code: 'SINK_STORE_UNAVAILABLE' }
  await expect(reads.winners('one', { limit: 1 })).rejects.toMatchObject(away)
  await expect(reads.userCoupons('ann', { limit: 1 })).rejects.toMatchObject(away)
  follows = true
  expect(await reads.userCoupons('ann', { limit: 1 })).toEqual({ items: [] })
})
