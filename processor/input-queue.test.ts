import { expect, test } from 'vitest'
import { writeI64 } from '#core'
import { FetchedRecords, RecordBatchBuilder, batchField } from '#log'
import { InputQueue } from './input-queue.ts'

/** Records at offsets from `start` on; the poll ends at `nextOffset`, past what is not data. */
function fetched(
  start: number,
  values: readonly string[],
  nextOffset = start + values.length,
): FetchedRecords {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.append('k', value, 1)
  const batch = Buffer.from(builder.finish())
  writeI64(batch, batchField.baseOffset, start)
  const batches = values.length === 0 ? [] : [batch]
  return new FetchedRecords({
    topic: 't',
    partition: 0,
    startOffset: start,
    nextOffset,
    highWatermark: 100,
    batches,
  })
}

function drain(queue: InputQueue): string[] {
  const values: string[] = []
  for (let head = queue.head(); head !== undefined; head = queue.head()) {
    values.push(head.value()?.toString() ?? '')
    queue.advance()
  }
  return values
}

test('hands out records in order; the position follows what is processed', () => {
  const queue = new InputQueue('t', 0)
  queue.push(fetched(0, ['a', 'b']))
  queue.push(fetched(2, ['c']))
  expect(queue.head()?.value()?.toString()).toBe('a')
  queue.advance()
  expect(queue.position).toBe(1)
  expect(drain(queue)).toEqual(['b', 'c'])
  expect(queue.position).toBe(3)
  expect(queue.bufferedBytes).toBe(0)
})

test('the position moves past what is not data', () => {
  const queue = new InputQueue('t', 0)
  queue.push(fetched(0, ['a'], 5))
  queue.push(fetched(5, [], 9))
  expect(drain(queue)).toEqual(['a'])
  expect(queue.position).toBe(9)
})

test('a poll from before a reset is not taken, nor one that leaves a gap', () => {
  const queue = new InputQueue('t', 0)
  queue.push(fetched(0, ['a', 'b']))
  queue.reset(1)
  queue.push(fetched(2, ['c']))
  queue.push(fetched(0, ['a']))
  expect(drain(queue)).toEqual([])
  queue.push(fetched(1, ['b']))
  expect(drain(queue)).toEqual(['b'])
})
