import { expect, it } from 'vitest'
import { turnsWithoutTakeover } from './chaos/turns.ts'

const task = '0_1'
const took = (...owners: string[]): { owner: string; task: string; at: number }[] =>
  owners.map((owner, at) => ({ owner, task, at }))

it('owners that take a task over from each other write a run each time', () => {
  expect(turnsWithoutTakeover(task, ['a', 'a', 'b', 'a', 'a'], took('a', 'b', 'a'))).toEqual([])
  // Taken over again and again, and nothing written in between.
  expect(turnsWithoutTakeover(task, ['a', 'a'], took('a', 'b', 'a'))).toEqual([])
})

it('two owners that commit in turns are found', () => {
  expect(turnsWithoutTakeover(task, ['a', 'b', 'a', 'b'], took('a', 'b'))).toEqual([
    'a took task 0_1 over 1 times, and wrote 2 runs of it',
    'b took task 0_1 over 1 times, and wrote 2 runs of it',
  ])
})

it('whoever writes without having taken over is found', () => {
  expect(turnsWithoutTakeover(task, ['a', 'x'], took('a'))).toEqual([
    'x took task 0_1 over 0 times, and wrote 1 runs of it',
  ])
})
