import { expect, test } from 'vitest'
import { noMetrics, silentLogger, systemClock } from '#core'
import type { TopicPartition } from '#log'
import { Signal } from '../signal.ts'
import { TaskRegistry } from '../task-registry.ts'
import type { Task } from '../task.ts'
import { readTogether } from '../testing/read-together.ts'
import { Handovers } from './handovers.ts'
import { threadInstruments } from './instruments.ts'
import type { ThreadContext } from './options.ts'
import { TaskLifecycle } from './task-lifecycle.ts'

function lifecycle(stopped = new AbortController().signal) {
  const asked: string[] = []
  const tasks = new TaskRegistry()
  const options: Partial<ThreadContext> = {
    topology: readTogether(),
    tasks,
    clock: systemClock,
    logger: silentLogger,
    instruments: threadInstruments(noMetrics),
    signal: new Signal(),
    stopped,
    fail: (error) => {
      throw error
    },
  }
  const thread = options as ThreadContext
  const parts = {
    fetcher: { forget: () => undefined },
    ids: { isLost: true, retake: () => Promise.resolve(asked.push('retake')) },
  }
  type Parts = ConstructorParameters<typeof TaskLifecycle>[1]
  const its = new TaskLifecycle(thread, parts as unknown as Parts)
  return { lifecycle: its, handovers: new Handovers(thread, its), tasks, asked }
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

const left = { topic: 'left', partition: 0 }
const right = { topic: 'right', partition: 0 }

/** In a thread that stops, where tasks are taken and nothing is restored. */
function taking() {
  const { lifecycle: its, handovers, tasks } = lifecycle(AbortSignal.abort())
  const ids = (): string[] => tasks.all().map(({ taskId }) => taskId)
  return {
    ids,
    give: (...partitions: TopicPartition[]): string[] => {
      its.assign(partitions)
      return ids()
    },
    takeBack: async (kind: 'revoked' | 'lost', partition: TopicPartition): Promise<void> => {
      const done = handovers.ask(kind, [partition])
      await handovers.close()
      await done
    },
  }
}

test('a task begins when the last partition that it reads is given', () => {
  const { give } = taking()
  expect(give(right)).toEqual([])
  expect(give({ topic: 'left', partition: 1 }, { topic: 'alone', partition: 0 })).toEqual(['1_0'])
  expect(give(left)).toEqual(['1_0', '0_0'])
  expect(give()).toEqual(['1_0', '0_0'])
})

test.each(['revoked', 'lost'] as const)('a partition that was %s is not there any more', async (kind) => {
  const { give, takeBack, ids } = taking()
  give(left)
  await takeBack(kind, left)
  expect(give(right)).toEqual([])
  expect(give(left)).toEqual(['0_0'])
  await takeBack(kind, right)
  expect(ids()).toEqual([])
  expect(give(right)).toEqual(['0_0'])
})

test('the group is answered also when a task cannot be closed', async () => {
  const { lifecycle: its, handovers, tasks } = lifecycle(AbortSignal.abort())
  its.assign([left, right, { topic: 'alone', partition: 0 }])
  for (const task of tasks.all()) {
    task.detach = () => {
      throw new Error('the disk is full')
    }
  }
  const asked = [left, { topic: 'alone', partition: 0 }].map((one) => handovers.ask('lost', [one]))
  await expect(handovers.close()).rejects.toThrow('the disk is full')
  await Promise.all(asked)
})
