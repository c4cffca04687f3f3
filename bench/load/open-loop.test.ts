import { expect, it } from 'vitest'
import { systemClock } from '#core'
import { openLoop } from './open-loop.ts'

it('keeps its schedule when answers are late, and leaves the warm-up out', async () => {
  const due: number[] = []
  const results = await openLoop(
    { perSecond: 10, seconds: 0.5, warmupSeconds: 0.2 },
    async (index, dueAt) => {
      due.push(dueAt)
      await systemClock.sleep(300)
      return index
    },
  )
  expect(results).toEqual([2, 3, 4, 5, 6])
  const first = due[0] ?? 0
  expect(due.map((at) => Math.round(at - first))).toEqual([0, 100, 200, 300, 400, 500, 600])
})

it('fails with the first failure', async () => {
  const failing = openLoop({ perSecond: 100, seconds: 10, warmupSeconds: 0 }, async (index) => {
    if (index === 1) throw new Error('refused')
  })
  await expect(failing).rejects.toThrow('refused')
})
