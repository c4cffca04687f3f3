import { expect, test } from 'vitest'
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
