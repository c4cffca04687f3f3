import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { code } from '../broker-errors.ts'
import { heartbeat } from '../protocol/group-members.ts'
import { startTestBroker } from '../testing/test-broker.ts'
import type { HeartbeatNews, HeartbeatOrder, HeartbeatThreadData } from './heartbeat-messages.ts'

const request = { group: 'g', generation: 1, memberId: 'm', instanceId: undefined }

/** The thread follows `order`; answers the codes that it tells. */
function startBeating(order: HeartbeatOrder): readonly (number | undefined)[] {
  const limits = { connectTimeout: 10_000, requestTimeout: 10_000 }
  const alive = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const workerData: HeartbeatThreadData = {
    connection: limits,
    alive,
    intervalMs: 1,
    quickMs: 1,
    quickForMs: 0,
    stalledMs: 60_000,
  }
  const thread = new Worker(new URL('./heartbeat-thread.ts', import.meta.url), { workerData })
  onTestFinished(async () => void (await thread.terminate()))
  const told: (number | undefined)[] = []
  thread.on('message', (news: HeartbeatNews) => {
    if (news.turn > 0) told.push(news.code)
  })
  thread.postMessage(order, [])
  return told
}

test.each([
  ['an error that the broker does not know itself', code.unknownServerError],
  ['a write of the broker that took too long', code.requestTimedOut],
  ['a round that has begun', code.rebalanceInProgress],
])('heartbeats go on after %s', async (_, passing) => {
  let beats = 0
  const broker = await startTestBroker(() => {
    const answered = ++beats === 2 ? passing : code.none
    return (out) => {
      out.i32(0)
      out.i16(answered)
      out.tags()
    }
  })
  const told = startBeating({ kind: 'beat', turn: 1, coordinator: broker.address, request })
  await broker.untilAsked(heartbeat.key, 5)
  await expect.poll(() => told).toEqual([passing])
})
