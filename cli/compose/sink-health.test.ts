import { expect, it } from 'vitest'
import { silentLogger } from '#core'
import type { CouponReads } from '#sink'
import { SinkHealth } from './sink-health.ts'

const remote: CouponReads = {
  winners: async () => ({ items: [] }),
  userCoupons: async () => ({ items: [] }),
}

it('answers lists until the sink has failed, and says once what to do', async () => {
  const said: string[] = []
  const health = new SinkHealth({ ...silentLogger, error: (fields) => said.push(JSON.stringify(fields)) })
  const reads = health.reads(remote)
  expect(health.works).toBe(false)
  health.started()
  expect(health.works).toBe(true)
  expect(await reads.winners('one', { limit: 1 })).toEqual({ items: [] })

  health.failed(new Error('another log'))
  health.failed(new Error('the thread ended'))
  health.started()
  expect(health.works).toBe(false)
  expect(said).toEqual(['{"error":"another log"}'])
  await expect(reads.winners('one', { limit: 1 })).rejects.toMatchObject({ code: 'SINK_STORE_UNAVAILABLE' })
  await expect(reads.userCoupons('ann', { limit: 1 })).rejects.toMatchObject({
    code: 'SINK_STORE_UNAVAILABLE',
  })
})
