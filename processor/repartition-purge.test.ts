import { expect, test } from 'vitest'
import { silentLogger } from '#core'
import type { PartitionOffset } from '#log'
import { RepartitionPurge } from './repartition-purge.ts'
import { ManualClock } from './testing/manual-clock.ts'

class Purging {
  readonly clock = new ManualClock(1000)
  /** What was asked for, as `topic-partition<offset`. */
  readonly asked: string[] = []
  readonly purge: RepartitionPurge
  #answer: (() => void) | undefined
  fails = false

  constructor() {
    this.purge = new RepartitionPurge({
      admin: {
        deleteRecords: async (before: readonly PartitionOffset[]) => {
          this.asked.push(
            before.map(({ topic, partition, offset }) => `${topic}-${partition}<${offset}`).join(' '),
          )
          await new Promise<void>((resolve) => (this.#answer = resolve))
          if (this.fails) throw new Error('away')
        },
      },
      topics: new Set(['r']),
      clock: this.clock,
      logger: silentLogger,
      limits: { records: 10, intervalMs: 500 },
    })
  }

  commit(partition: number, offset: number, topic = 'r'): void {
    this.purge.committed([{ topic, partition, offset }])
  }

  async answer(): Promise<void> {
    this.#answer?.()
    await this.purge.close()
  }
}

test('asks once enough records have come together, over all partitions', async () => {
  const purging = new Purging()
  purging.commit(0, 6)
  purging.commit(1, 3)
  expect(purging.asked).toEqual([])
  purging.commit(1, 4)
  expect(purging.asked).toEqual(['r-0<6 r-1<4'])
  await purging.answer()
  purging.commit(1, 13)
  purging.commit(1, 14)
  expect(purging.asked).toEqual(['r-0<6 r-1<4', 'r-1<14'])
  await purging.answer()
})

test('asks after a time for whatever there is, and for nothing when there is nothing', async () => {
  const purging = new Purging()
  purging.commit(0, 0)
  purging.clock.advance(500)
  purging.commit(0, 0)
  expect(purging.asked).toEqual([])
  purging.commit(0, 1)
  expect(purging.asked).toEqual(['r-0<1'])
  await purging.answer()
  purging.commit(0, 2)
  expect(purging.asked).toHaveLength(1)
})

test('has one request on its way at a time', async () => {
  const purging = new Purging()
  purging.commit(0, 10)
  purging.commit(0, 30)
  expect(purging.asked).toEqual(['r-0<10'])
  await purging.answer()
  purging.commit(0, 31)
  expect(purging.asked).toEqual(['r-0<10', 'r-0<31'])
  await purging.answer()
})

test('goes on when the log refuses', async () => {
  const purging = new Purging()
  purging.fails = true
  purging.commit(0, 10)
  await purging.answer()
  purging.commit(0, 20)
  expect(purging.asked).toEqual(['r-0<10', 'r-0<20'])
  await purging.answer()
})

test('leaves other topics alone', () => {
  const purging = new Purging()
  purging.commit(0, 1000, 'in')
  expect(purging.asked).toEqual([])
})
