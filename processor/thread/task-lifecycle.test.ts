import { expect, test } from 'vitest'
import { silentLogger, systemClock } from '#core'
import { Signal } from '../signal.ts'
import type { Task } from '../task.ts'
import type { ThreadContext } from './options.ts'
import { TaskLifecycle } from './task-lifecycle.ts'

function lifecycle(): { readonly lifecycle: TaskLifecycle; readonly asked: string[] } {
  const asked: string[] = []
  const thread: Partial<ThreadContext> = {
    clock: systemClock,
    logger: silentLogger,
    signal: new Signal(),
    stopped: new AbortController().signal,
    fail: (error) => {
      throw error
    },
  }
  const parts = {
    fetcher: { forget: () => undefined },
    ids: { isLost: true, retake: () => Promise.resolve(asked.push('retake')) },
  }
  type Parts = ConstructorParameters<typeof TaskLifecycle>[1]
  return { lifecycle: new TaskLifecycle(thread as ThreadContext, parts as unknown as Parts), asked }
}

function runningTask(): Task {
  return { taskId: '0_1', status: 'running', inputs: [] } as unknown as Task
}

test('a task that is given up before its turn to be taken over has come is not taken over', async () => {
  const { lifecycle: tasks, asked } = lifecycle()
  const task = runningTask()
  tasks.giveUp(task)
  await tasks.takeOver(task)
  expect(asked).toEqual([])
  expect(task.status).toBe('restoring')
})
