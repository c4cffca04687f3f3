import { expect, test } from 'vitest'
import { RecordCursor } from '#log'
import { BuilderPool, TransactionOutputs } from './transaction-outputs.ts'

const outputs = (maxBatchBytes: number): TransactionOutputs =>
  new TransactionOutputs(new BuilderPool(), () => maxBatchBytes)

function write(to: TransactionOutputs, topic: string, value: string): void {
  const target = to.target(topic, 0)
  const builder = target.open()
  builder.append(null, value, 0)
  target.check(builder)
}

function written(from: TransactionOutputs): string[] {
  return from.appends().flatMap(({ topic, records }) => {
    const values: string[] = []
    for (const cursor = new RecordCursor([records.finish()]); cursor.next();)
      values.push(`${topic}:${cursor.value()?.toString()}`)
    return values
  })
}

test('rollback takes one record out of every batch it touched', () => {
  const transaction = outputs(1 << 20)
  write(transaction, 'one', 'a')
  transaction.release()
  write(transaction, 'one', 'b')
  write(transaction, 'two', 'c')
  transaction.rollback()
  write(transaction, 'one', 'd')
  transaction.release()
  expect(written(transaction)).toEqual(['one:a', 'one:d'])
})

test('rollback also undoes the batches that the record began', () => {
  const transaction = outputs(400)
  write(transaction, 'one', 'x'.repeat(150))
  transaction.release()
  write(transaction, 'one', 'y'.repeat(100))
  write(transaction, 'one', 'z'.repeat(100))
  expect(transaction.appends()).toHaveLength(2)
  transaction.rollback()
  expect(written(transaction)).toEqual([`one:${'x'.repeat(150)}`])
})

test('no batch is larger than its topic takes, and a record that alone is larger is refused', () => {
  const transaction = outputs(1000)
  for (let count = 0; count < 50; count++) write(transaction, 'one', 'x'.repeat(300))
  for (const { records } of transaction.appends()) expect(records.byteLength).toBeLessThanOrEqual(1000)
  expect(written(transaction)).toHaveLength(50)
  expect(() => write(transaction, 'one', 'x'.repeat(1000))).toThrow(
    expect.objectContaining({ code: 'PROCESSOR_OUTPUT_TOO_LARGE' }),
  )
})
