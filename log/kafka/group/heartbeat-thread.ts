/**
 * The thread that tells the coordinator that a member is alive, on a connection of its own: a member whose event loop
 * is blocked for seconds (restoring, synchronous RocksDB) must not lose its session for that. It falls silent when the
 * member has made no progress for so long that others had better take over.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '#core'
import { code, isCoordinatorMoved, isRetriable } from '../broker-errors.ts'
import { Connections } from '../connections.ts'
import { heartbeat } from '../protocol/group-members.ts'
import type { HeartbeatNews, HeartbeatOrder, HeartbeatThreadData } from './heartbeat-messages.ts'

const { connection, alive, intervalMs, quickMs, quickForMs, stalledMs } = workerData as HeartbeatThreadData
const counter = new Int32Array(alive)
const connections = new Connections(connection)

/** How long it waits without an order; each order wakes it. */
const restMs = 60_000

let order: HeartbeatOrder = { kind: 'rest' }
let orderedAt = 0
let changed = new AbortController()
parentPort?.on('message', (next: HeartbeatOrder) => {
  order = next
  orderedAt = systemClock.now()
  changed.abort()
})

function tell(news: HeartbeatNews): void {
  parentPort?.postMessage(news, [])
}

/**
 * A member that is asked to join again stays alive meanwhile, and so does one whose coordinator could not answer just
 * now. Whoever answers anything else knows of nothing to keep.
 */
function isKept(answered: number): boolean {
  if (answered === code.rebalanceInProgress) return true
  return isRetriable(answered) && !isCoordinatorMoved(answered)
}

/** True as long as it makes sense to go on with this order. */
async function beat({
  turn,
  coordinator,
  request,
}: Extract<HeartbeatOrder, { kind: 'beat' }>): Promise<boolean> {
  let isThere = true
  try {
    const answer = await (await connections.to(coordinator)).request(heartbeat, request)
    if (answer.code === code.none) return true
    tell({ turn, code: answer.code })
    if (isKept(answer.code)) return true
    isThere = false
  } catch {
    tell({ turn, code: undefined })
  }
  // The member may name a coordinator at once, which may be the one that could not answer.
  await systemClock.sleep(intervalMs)
  return isThere
}

let seen = Atomics.load(counter, 0)
let seenAt = systemClock.now()

function isStalled(): boolean {
  const now = Atomics.load(counter, 0)
  if (now !== seen) {
    seen = now
    seenAt = systemClock.now()
  }
  return systemClock.now() - seenAt > stalledMs
}

/** True when there is another heartbeat to send. */
async function follow(current: HeartbeatOrder): Promise<boolean> {
  return current.kind === 'beat' && (isStalled() || (await beat(current)))
}

tell({ turn: 0, code: 0 })

for (;;) {
  const current: HeartbeatOrder = order
  changed = new AbortController()
  const goesOn = await follow(current)
  if (order !== current) continue
  const interval = systemClock.now() - orderedAt < quickForMs ? quickMs : intervalMs
  await systemClock.sleep(goesOn ? interval : restMs, changed.signal)
}
