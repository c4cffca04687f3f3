import { readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { RocksDatabase } from '#core'
import { WatchedSyncs } from '../../core/testing/watched-syncs.ts'
import type { Log } from '../index.ts'
import { readAll, valuesOf } from '../conformance/harness.ts'
import { alone, committed, request } from '../conformance/transactions.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

/** The power fails before this group is on the disk. */
function failAtSync(count: number): void {
  const original = RocksDatabase.prototype.sync
  let syncs = 0
  vi.spyOn(RocksDatabase.prototype, 'sync').mockImplementation(async function (this: RocksDatabase) {
    if (++syncs >= count) throw new Error('the power is out')
    await original.call(this)
  })
}

const padding = 'x'.repeat(6000)

/** Appends until the log takes nothing more; what was acknowledged, by offset. */
async function appendUntilOut(log: Log, acknowledged: Map<number, string>, lane: number): Promise<void> {
  const appender = log.appender()
  for (let count = 0; ; count++) {
    const value = `${lane}.${count}.${padding}`
    try {
      const { offset } = await appender.append({ topic: 'appended', partition: 0, key: null, value })
      acknowledged.set(offset, value)
    } catch {
      return
    }
  }
}

/** Each transaction appends its number to both partitions and commits it as the offset; returns the last one. */
async function commitUntilOut(log: Log): Promise<number> {
  const transactor = await log.transactor('tx')
  for (let number = 1; ; number++) {
    const text = [`${number}`]
    const failed = await transactor.prepare(request('committed', alone('g'), number, [text, text]))
    const outcome = failed ?? (await transactor.commit())
    if (outcome.kind !== 'committed') return number - 1
  }
}

it.each([2, 7, 15, 40, 41, 42, 43])(
  'a power loss at fsync %d takes nothing that was acknowledged, and no half of a transaction',
  async (syncs) => {
    const dir = await testDirectory()
    const synced = await WatchedSyncs.watch(dir)
    // So small that files of the write-ahead log end all the time.
    const first = await openTestLog(dir, { memtableBytes: 256 << 10 })
    await createTopic(first.log, 'appended')
    await createTopic(first.log, 'committed', {}, 2)
    failAtSync(syncs)
    const acknowledged = new Map<number, string>()
    const [lastCommitted] = await Promise.all([
      commitUntilOut(first.log),
      ...[0, 1, 2].map((lane) => appendUntilOut(first.log, acknowledged, lane)),
    ])
    await first.close()
    for (const name of await readdir(dir)) {
      if (!name.endsWith('.log')) continue
      await truncate(join(dir, name), synced.bytesOf(join(dir, name)) ?? 0)
    }
    vi.restoreAllMocks()

    const { log } = await openTestLog(dir)
    const records = await readAll(log, 'appended')
    expect(records.map(({ offset }) => offset)).toEqual(records.map((_, index) => index))
    for (const [offset, value] of acknowledged) expect(records[offset]?.value).toBe(value)
    const position = ((await committed(log, 'g', 'committed')) as number | undefined) ?? 0
    expect(position).toBeGreaterThanOrEqual(lastCommitted)
    const numbers = Array.from({ length: position }, (_, index) => `${index + 1}`)
    for (const partition of [0, 1]) {
      expect(valuesOf(await readAll(log, 'committed', partition))).toEqual(numbers)
    }
    expect(acknowledged.size + lastCommitted).toBeGreaterThan(0)
  },
)
