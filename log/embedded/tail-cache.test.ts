import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { writeI64 } from '#core'
import { RecordBatchBuilder, baseOffsetOf, batchField, endOffsetOf } from '../index.ts'
import { PartitionTail, TailCache } from './tail-cache.ts'

/** A batch of two records at an offset. */
function batchAt(offset: number, size = 100): Buffer {
  const records = new RecordBatchBuilder()
  records.append(null, 'x'.repeat(size), 1)
  records.append(null, 'x', 1)
  const batch = Buffer.from(records.finish())
  writeI64(batch, batchField.baseOffset, offset)
  return batch
}

describe('TailCache', () => {
  it('reads from the batch that holds an offset, up to a size', () => {
    const cache = new TailCache(1 << 20)
    const tail = new PartitionTail(0)
    for (let at = 0; at < 10; at++) cache.add(tail, batchAt(at * 2))
    for (let offset = 0; offset < 20; offset++) {
      const all = tail.read(offset, 1 << 20)
      expect(baseOffsetOf(all[0] as Buffer)).toBe(offset - (offset % 2))
      expect(endOffsetOf(all.at(-1) as Buffer)).toBe(20)
      expect(tail.read(offset, 1).length).toBe(1)
    }
    expect(tail.read(0, batchAt(0).length * 3).length).toBe(3)
  })

  it('drops the oldest first over all partitions, and says from where on it has everything', () => {
    const cache = new TailCache(10 * 500)
    const tails = [new PartitionTail(0), new PartitionTail(0), new PartitionTail(0)]
    for (let at = 0; at < 300; at++) {
      const tail = tails[at % 7 === 0 ? 0 : 1 + (at % 2)] as PartitionTail
      const end = endOf(tail)
      cache.add(tail, batchAt(end, 500 - 100))
    }
    expect(tails.reduce((sum, tail) => sum + countOf(tail), 0)).toBeLessThan(10)
    for (const tail of tails) {
      const [first] = tail.read(tail.startOffset, 1)
      if (first !== undefined) expect(baseOffsetOf(first)).toBe(tail.startOffset)
    }
  })

  it('leaves what it drops to the garbage collector at once', async () => {
    const cache = new TailCache(20 * 500)
    const tail = new PartitionTail(0)
    const added: WeakRef<Buffer>[] = []
    for (let at = 0; at < 30; at++) {
      const batch = batchAt(at * 2, 100)
      added.push(new WeakRef(batch))
      cache.add(tail, batch)
    }
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    // A WeakRef holds what it was made of until the turn is over.
    await setImmediate()
    collectGarbage()
    const cached = countOf(tail)
    expect(cached).toBeLessThan(30)
    expect(added.filter((batch) => batch.deref() !== undefined)).toHaveLength(cached)
  })

  it('keeps to its bound where batches share memory with those of partitions that are cleared', () => {
    const bytesMax = 100_000
    const cache = new TailCache(bytesMax)
    const cleared = new PartitionTail(0)
    const other = new PartitionTail(0)
    for (let at = 0; at < 200; at++) {
      const batch = batchAt(at * 2, 2000)
      // Memory of their own, as what comes from another thread has.
      const memory = Buffer.allocUnsafeSlow(2 * batch.length)
      memory.set(batch, 0)
      memory.set(batch, batch.length)
      cache.add(cleared, memory.subarray(0, batch.length))
      cache.add(other, memory.subarray(batch.length))
      if (at % 10 === 9) cleared.clear(at * 2 + 2)
    }
    const memories = new Set(other.read(other.startOffset, bytesMax).map(({ buffer }) => buffer))
    const held = [...memories].reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(held).toBeGreaterThan(bytesMax / 2)
    expect(held).toBeLessThan(bytesMax)
  })

  it('keeps its order and its bound after a partition was cleared', () => {
    const cache = new TailCache(3000)
    const cleared = new PartitionTail(0)
    const other = new PartitionTail(0)
    for (let at = 0; at < 4; at++) cache.add(cleared, batchAt(at * 2))
    cleared.clear(8)
    expect(cleared.startOffset).toBe(8)
    expect(countOf(cleared)).toBe(0)
    for (let at = 4; at < 8; at++) {
      cache.add(cleared, batchAt(at * 2))
      cache.add(other, batchAt((at - 4) * 2))
    }
    for (let at = 4; at < 50; at++) cache.add(other, batchAt(at * 2))
    expect(countOf(cleared)).toBe(0)
    expect(cleared.startOffset).toBe(16)
    expect(countOf(other)).toBeGreaterThan(3)
    expect(endOf(other)).toBe(100)
  })
})

function countOf(tail: PartitionTail): number {
  return tail.read(tail.startOffset, Number.MAX_SAFE_INTEGER).length
}

function endOf(tail: PartitionTail): number {
  const last = tail.read(tail.startOffset, Number.MAX_SAFE_INTEGER).at(-1)
  return last === undefined ? tail.startOffset : endOffsetOf(last)
}
