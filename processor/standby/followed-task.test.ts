import { expect, test } from 'vitest'
import { FetchedRecords } from '#log'
import type { TaskState } from '#state'
import { FollowedTask } from './followed-task.ts'

const place = { topic: 'changelog', partition: 0 }
const facts = { clusterId: 'cluster', topicId: 'topic', start: 0, end: 100 }

function followed(): FollowedTask {
  const state: Partial<TaskState> = { checkpoint: () => undefined, restore: () => 0 }
  return new FollowedTask('0_0', 'warm-up', state as TaskState, [{ store: 'kept', ...place, facts }])
}

test('says how far it is behind only while its changelogs are heard of', () => {
  const task = followed()
  expect(task.lag).toBe(100)
  expect(task.lagLately(5000)).toBeUndefined()
  const [changelog] = task.changelogs
  const fetched = { ...place, startOffset: 0, nextOffset: 60, highWatermark: 150, batches: [] }
  if (changelog !== undefined) task.apply(changelog, new FetchedRecords(fetched), 5000)
  expect(task.lagLately(7000)).toBe(90)
  expect(task.lagLately(7001)).toBeUndefined()
})
