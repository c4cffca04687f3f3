import { expect, it } from 'vitest'
import { systemClock } from '#core'
import { AnswersTogether } from './answers-together.ts'

function countedClock() {
  const turns: (() => void)[] = []
  const clock = {
    ...systemClock,
    yield: () => new Promise<void>((resolve) => void turns.push(resolve)),
  }
  return { clock, turns }
}

it('lets all of a turn go at its end, in the order they came', async () => {
  const { clock, turns } = countedClock()
  const together = new AnswersTogether(clock)
  const sent: number[] = []
  const answers = [1, 2, 3].map((answer) => together.endOfTurn().then(() => void sent.push(answer)))
  await systemClock.yield()
  expect(sent).toEqual([])
  expect(turns).toHaveLength(1)
  turns[0]?.()
  await Promise.all(answers)
  expect(sent).toEqual([1, 2, 3])
})

it('begins anew with the next turn', async () => {
  const { clock, turns } = countedClock()
  const together = new AnswersTogether(clock)
  const first = together.endOfTurn()
  turns[0]?.()
  await first
  let sent = false
  void together.endOfTurn().then(() => (sent = true))
  await systemClock.yield()
  expect(sent).toBe(false)
  expect(turns).toHaveLength(2)
})

it('does not hold back a crowd', async () => {
  const { clock, turns } = countedClock()
  const together = new AnswersTogether(clock)
  let sent = 0
  for (let answer = 0; answer < 100; answer++) void together.endOfTurn().then(() => sent++)
  await systemClock.yield()
  expect(sent).toBe(96)
  turns[0]?.()
  await systemClock.yield()
  expect(sent).toBe(100)
})
