import { describe, expect, it } from 'vitest'
import { RecordBatchBuilder } from '../index.ts'
import { AppendBatch } from './append-batch.ts'
import { AppendLane } from './append-lane.ts'
import { BrokerConnection } from './broker-connection.ts'

const connection = Object.create(BrokerConnection.prototype) as BrokerConnection
const producer = { id: 1, epoch: 0 }
const deadline = 1000
const late = deadline + 1

/** A lane whose batches hold one record each, named; `outcomes` says what became of them. */
function setUp(): {
  readonly lane: AppendLane
  readonly outcomes: string[]
  readonly add: (...names: string[]) => void
  readonly send: () => AppendBatch
} {
  const outcomes: string[] = []
  const lane = new AppendLane({ topic: 't', partition: 0 }, () => undefined)
  const add = (...names: string[]): void => {
    for (const name of names) {
      const builder = new RecordBatchBuilder()
      const batch = new AppendBatch(0, builder, deadline)
      // A name of several letters is a batch of as many records.
      for (const letter of name) {
        builder.append(null, letter, 0)
        batch.add(
          ({ offset }) => outcomes.push(`${letter} at ${offset}`),
          (error) => outcomes.push(`${letter} ${(error as { code: string }).code}`),
          1,
        )
      }
      lane.queue.push(batch)
    }
  }
  const send = (): AppendBatch => {
    const batch = lane.take(lane.producer ?? producer, connection)
    if (batch === undefined) throw new Error('nothing to send')
    return batch
  }
  return { lane, outcomes, add, send }
}

const sequences = (...batches: AppendBatch[]): (number | undefined)[] =>
  batches.map(({ baseSequence }) => baseSequence)

it('numbers records in order and gives each its offset', () => {
  const { lane, outcomes, add, send } = setUp()
  add('ab', 'c')
  const [first, second] = [send(), send()]
  expect(sequences(first, second)).toEqual([0, 2])
  lane.answered(first, 0, 10, null, 0)
  lane.answered(second, 0, 12, null, 0)
  expect(outcomes).toEqual(['a at 10', 'b at 11', 'c at 12'])
  expect(lane.isIdle).toBe(true)
})

describe('in flight', () => {
  const other = Object.create(BrokerConnection.prototype) as BrokerConnection

  it('is one batch until the broker knows the producer, then five, on one connection', () => {
    const { lane, add, send } = setUp()
    add('a', 'b', 'c', 'd', 'e', 'f', 'g')
    const first = send()
    expect(lane.canSend(0, connection)).toBe(false)
    lane.answered(first, 0, 0, null, 0)
    for (let sent = 0; sent < 5; sent++) {
      expect(lane.canSend(0, connection)).toBe(true)
      expect(lane.canSend(0, other)).toBe(sent === 0)
      send()
    }
    expect(lane.canSend(0, connection)).toBe(false)
  })

  it('is one batch again after a silence, after a failure and under another producer', () => {
    const { lane, add, send } = setUp()
    add('a', 'b', 'c', 'd', 'e', 'f', 'g')
    let now = 0
    const acknowledge = (): void => lane.answered(send(), 0, 0, null, now)
    const sendsOneOnly = (): boolean => {
      const batch = send()
      const isOne = !lane.canSend(now, connection)
      lane.answered(batch, 0, 0, null, now)
      return isOne
    }
    acknowledge()
    expect(sendsOneOnly()).toBe(false)
    now += 1000
    expect(sendsOneOnly()).toBe(true)
    lane.answered(send(), 6, -1, null, now)
    now = lane.retryAt
    expect(sendsOneOnly()).toBe(true)
    lane.answered(send(), 59, -1, null, now)
    now = lane.retryAt
    lane.producer = { id: 2, epoch: 0 }
    expect(sendsOneOnly()).toBe(true)
  })
})

describe('after a failure', () => {
  it('waits for what is in flight, then sends again in order, in the same places', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a', 'b', 'c')
    const [first, second] = [send(), send()]
    lane.answered(first, 6, -1, null, 0)
    expect(lane.canSend(late, connection)).toBe(false)
    expect(lane.needsLeader).toBe(true)
    lane.answered(second, 45, -1, null, 0)
    expect(lane.canSend(0, connection)).toBe(false)
    expect(lane.canSend(lane.retryAt, connection)).toBe(true)
    const again = [send(), send(), send()]
    expect(sequences(...again)).toEqual([0, 1, 2])
    for (const [index, batch] of again.entries()) lane.answered(batch, 0, index, null, 0)
    expect(outcomes).toEqual(['a at 0', 'b at 1', 'c at 2'])
  })

  it('does not repeat what was acknowledged before it', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a', 'b')
    const [first, second] = [send(), send()]
    lane.answered(first, 0, 7, null, 0)
    lane.unanswered(second, true, new Error('cut'), 0)
    const again = send()
    expect(again).toBe(second)
    expect(again.baseSequence).toBe(1)
    lane.answered(again, 0, 8, null, 0)
    expect(outcomes).toEqual(['a at 7', 'b at 8'])
  })

  it('waits longer each time', () => {
    const { lane, add, send } = setUp()
    add('a')
    let now = 0
    const waits: number[] = []
    for (let round = 0; round < 9; round++) {
      lane.answered(send(), 6, -1, null, now)
      waits.push(lane.retryAt - now)
      now = 0
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b))
    expect(waits[0]).toBeLessThan(50)
    expect(waits.at(-1)).toBe(1000)
  })
})

describe('a batch that is given up', () => {
  it('was surely not appended when no try of it can have been', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a')
    lane.answered(send(), 6, -1, null, late)
    expect(outcomes).toEqual(['a LOG_APPEND_FAILED'])
  })

  it.each([
    [
      'a connection that broke',
      (lane: AppendLane, batch: AppendBatch) => lane.unanswered(batch, true, new Error('cut'), 0),
    ],
    [
      'too few copies in time',
      (lane: AppendLane, batch: AppendBatch) => lane.answered(batch, 20, -1, null, 0),
    ],
    [
      'a time-out in the broker',
      (lane: AppendLane, batch: AppendBatch) => lane.answered(batch, 7, -1, null, 0),
    ],
  ])('may be in the log after %s, whatever the last try was answered', (_, fail) => {
    const { lane, outcomes, add, send } = setUp()
    add('a')
    fail(lane, send())
    expect(outcomes).toEqual([])
    lane.answered(send(), 6, -1, null, late)
    expect(outcomes).toEqual(['a LOG_APPEND_UNKNOWN'])
  })

  it('was not appended when it was never sent', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a')
    lane.unanswered(send(), false, new Error('refused'), 0)
    lane.expire(late)
    expect(outcomes).toEqual(['a LOG_APPEND_FAILED'])
    add('b')
    lane.expire(late)
    expect(outcomes).toEqual(['a LOG_APPEND_FAILED', 'b LOG_APPEND_FAILED'])
  })

  it('leaves a gap: what comes behind goes on as another producer, unless it may be in the log', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a', 'b', 'c', 'd')
    const [first, second, third] = [send(), send(), send()]
    lane.answered(first, 29, -1, 'no', 0)
    lane.unanswered(second, true, new Error('cut'), 0)
    lane.answered(third, 45, -1, null, 0)
    expect(outcomes).toEqual(['a LOG_APPEND_FAILED', 'b LOG_APPEND_UNKNOWN'])
    expect(lane.producer).toBeUndefined()
    expect(lane.needsOwnProducer).toBe(true)
    lane.producer = { id: 2, epoch: 0 }
    expect(sequences(send(), send())).toEqual([0, 1])
  })

  it('takes what waits behind it to be sent again along, when that may be in the log', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a', 'b')
    const [first, second] = [send(), send()]
    lane.answered(first, 6, -1, null, 0)
    lane.unanswered(second, true, new Error('cut'), 0)
    lane.answered(send(), 29, -1, null, 0)
    expect(outcomes).toEqual(['a LOG_APPEND_FAILED', 'b LOG_APPEND_UNKNOWN'])
    expect(lane.isIdle).toBe(true)
  })
})

describe('a producer that the broker has forgotten', () => {
  it.each([45, 59, 47])(
    'is replaced, and what was surely not appended is sent under the next (%i)',
    (code) => {
      const { lane, outcomes, add, send } = setUp()
      add('a', 'b')
      lane.answered(send(), 0, 0, null, 0)
      lane.answered(send(), code, -1, null, 0)
      expect(outcomes).toEqual(['a at 0'])
      expect(lane.needsOwnProducer).toBe(true)
      lane.producer = { id: 2, epoch: 0 }
      const again = send()
      expect(again.baseSequence).toBe(0)
      lane.answered(again, 0, 1, null, 0)
      expect(outcomes).toEqual(['a at 0', 'b at 1'])
    },
  )

  it('never sends under the next what may be in the log', () => {
    const { lane, outcomes, add, send } = setUp()
    add('a')
    lane.unanswered(send(), true, new Error('cut'), 0)
    lane.answered(send(), 59, -1, null, 0)
    expect(outcomes).toEqual(['a LOG_APPEND_UNKNOWN'])
    expect(lane.isIdle).toBe(true)
  })
})

it('says that it does not know where a batch is that the broker has since long', () => {
  const { lane, outcomes, add, send } = setUp()
  add('a', 'b')
  lane.answered(send(), 46, -1, null, 0)
  expect(outcomes).toEqual(['a LOG_APPEND_UNKNOWN'])
  expect(send().baseSequence).toBe(1)
})

it('halves a batch that is too large until the culprit is alone, keeping places', () => {
  const { lane, outcomes, add, send } = setUp()
  add('abXd', 'e')
  const [large, next] = [send(), send()]
  lane.answered(large, 10, -1, null, 0)
  lane.answered(next, 45, -1, null, 0)
  const halves = [send(), send(), send()]
  expect(sequences(...halves)).toEqual([0, 2, 4])
  lane.answered(halves[0] as AppendBatch, 0, 0, null, 0)
  lane.answered(halves[1] as AppendBatch, 10, -1, null, 0)
  lane.answered(halves[2] as AppendBatch, 45, -1, null, 0)
  const culprit = send()
  expect(culprit.count).toBe(1)
  lane.answered(culprit, 10, -1, null, 0)
  expect(outcomes).toEqual(['a at 0', 'b at 1', 'X LOG_RECORD_TOO_LARGE'])
  lane.producer = { id: 2, epoch: 0 }
  const rest = [send(), send()]
  expect(sequences(...rest)).toEqual([0, 1])
  for (const [index, batch] of rest.entries()) lane.answered(batch, 0, 2 + index, null, 0)
  expect(outcomes.slice(3)).toEqual(['d at 2', 'e at 3'])
})

it('fails what waits for a topic that is gone', () => {
  const { lane, outcomes, add, send } = setUp()
  add('a', 'b')
  lane.unanswered(send(), true, new Error('cut'), 0)
  lane.failWaiting(Object.assign(new Error('gone'), { code: 'LOG_UNKNOWN_TOPIC' }))
  expect(outcomes).toEqual(['a LOG_APPEND_UNKNOWN', 'b LOG_UNKNOWN_TOPIC'])
})
