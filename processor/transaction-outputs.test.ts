import { expect, test } from 'vitest'
import { RecordBatchBuilder } from '#log'
import { BuilderPool, TransactionOutputs } from './transaction-outputs.ts'

/** Writes values of these lengths to a topic that takes 1,000 bytes a batch; answers the sizes of its batches. */
function write(lengths: readonly number[]): number[] {
  const outputs = new TransactionOutputs(new BuilderPool(), () => 1000)
  for (const length of lengths) {
    const target = outputs.target('out', 0)
    const builder = target.open()
    builder.append('k', 'x'.repeat(length), 5)
    target.check(builder)
    outputs.release()
  }
  return outputs.appends().map(({ records }) => records.count)
}

test('a record that fits alone is taken, whatever was written before it', () => {
  expect(write([800])).toEqual([1])
  expect(write([100, 100, 800])).toEqual([2, 1])
  expect(write([100, 900, 900, 100])).toEqual([1, 1, 1, 1])
})

test('a record that does not fit alone is refused, whatever was written before it', () => {
  for (const before of [[], [100], [100, 100]]) {
    expect(() => write([...before, 990])).toThrow(
      expect.objectContaining({ code: 'PROCESSOR_OUTPUT_TOO_LARGE' }),
    )
  }
})

test('a record that was moved to a batch of its own is taken back whole', () => {
  const outputs = new TransactionOutputs(new BuilderPool(), () => 1000)
  const append = (length: number): void => {
    const target = outputs.target('out', 0)
    const builder = target.open()
    builder.append('k', 'x'.repeat(length), 5)
    target.check(builder)
  }
  append(100)
  outputs.release()
  append(900)
  outputs.rollback()
  expect(outputs.appends().map(({ records }) => [records.count, records.byteLength < 300])).toEqual([
    [1, true],
  ])
})

test('the pool keeps memory up to its bound, of all topics together, and counts what is taken out again', () => {
  const pool = new BuilderPool(300 << 10)
  const given = ['out', 'out', 'other', 'out'].map((topic) => {
    const builder = new RecordBatchBuilder(100 << 10)
    pool.give(topic, builder)
    return builder
  })
  const taken = ['out', 'out', 'out', 'other'].map((topic) => pool.take(topic))
  expect(taken.map((builder) => given.indexOf(builder))).toEqual([1, 0, -1, 2])
  for (const builder of given.slice(0, 3)) pool.give('out', builder)
  expect(given.slice(0, 3)).toContain(pool.take('out'))
})
