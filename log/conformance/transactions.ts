import { expect } from 'vitest'
import { RecordBatchBuilder } from '../index.ts'
import type { GroupMetadata, Log, TransactionRequest, Transactor } from '../index.ts'
import { freshName, readAll, valuesOf } from './harness.ts'
import type { Define } from './harness.ts'

function recordsOf(values: readonly string[], timestamp = 1000): RecordBatchBuilder {
  const records = new RecordBatchBuilder()
  for (const value of values) records.append(null, value, timestamp)
  return records
}

/** Commits for a group without members. */
export function alone(group: string): GroupMetadata {
  return { group, generation: -1, memberId: '' }
}

/** A transaction that appends values to partitions of a topic (by index) and commits an offset of partition 0. */
export function request(
  topic: string,
  group: GroupMetadata,
  offset: number,
  values: readonly (readonly string[])[] = [],
): TransactionRequest {
  return {
    appends: values.map((ofPartition, partition) => ({ topic, partition, records: recordsOf(ofPartition) })),
    group,
    offsets: [{ topic, partition: 0, offset, metadata: `at ${offset}` }],
  }
}

export async function committed(
  log: Log,
  group: string,
  topic: string,
  requireStable = true,
): Promise<unknown> {
  const [offset] = await log.admin.committedOffsets(group, [{ topic, partition: 0 }], { requireStable })
  return offset?.offset
}

async function run(transactor: Transactor, transaction: TransactionRequest): Promise<unknown> {
  return (await transactor.prepare(transaction)) ?? (await transactor.commit())
}

export function transactionTests(define: Define): void {
  define('commits records of all partitions and offsets together', async ({ log, topic }) => {
    const name = await topic(2)
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'))
    const outcome = (await run(transactor, request(name, alone(group), 7, [['a', 'b'], ['c']]))) as {
      kind: string
      endOffsets: number[]
    }
    expect(outcome.kind).toBe('committed')
    expect(outcome.endOffsets).toEqual([2, 1])
    expect(valuesOf(await readAll(log, name, 0))).toEqual(['a', 'b'])
    expect(valuesOf(await readAll(log, name, 1))).toEqual(['c'])
    const place = { topic: name, partition: 0 }
    expect(await log.admin.committedOffsets(group, [place], { requireStable: true })).toEqual([
      { ...place, offset: 7, metadata: 'at 7' },
    ])
    await transactor.close()
  })

  define('names the transaction that holds a last stable offset back', async ({ log, topic, until }) => {
    const name = await topic()
    const place = { topic: name, partition: 0 }
    const id = freshName('tx')
    const transactor = await log.transactor(id)
    const isHeldBack = async (): Promise<boolean> => {
      const [ends] = await log.admin.offsets([place])
      return ends !== undefined && ends.lastStableOffset < ends.highWatermark
    }
    expect(await log.admin.openTransactions([place])).toEqual([])
    expect(await transactor.prepare(request(name, alone(freshName('group')), 1, [['a']]))).toBeUndefined()
    expect(await log.admin.openTransactions([place])).toEqual((await isHeldBack()) ? [id] : [])
    await transactor.commit()
    await until('it is decided', async () => !(await isHeldBack()))
    expect(await log.admin.openTransactions([place])).toEqual([])
    await transactor.close()
  })

  define('shows nothing of a transaction before its commit', async ({ log, connect, topic }) => {
    const name = await topic(2)
    const group = freshName('group')
    const other = await connect()
    const transactor = await log.transactor(freshName('tx'))
    expect(await transactor.prepare(request(name, alone(group), 3, [['a'], ['b']]))).toBeUndefined()
    for (const partition of [0, 1]) expect(await readAll(other, name, partition)).toEqual([])
    expect(await committed(other, group, name, false)).toBeUndefined()
    await transactor.commit()
    expect(valuesOf(await readAll(other, name, 0))).toEqual(['a'])
    expect(valuesOf(await readAll(other, name, 1))).toEqual(['b'])
    expect(await committed(other, group, name)).toBe(3)
    await transactor.close()
  })

  define('shows nothing of an aborted transaction, ever', async ({ log, topic }) => {
    const name = await topic()
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'))
    await transactor.prepare(request(name, alone(group), 3, [['gone']]))
    await transactor.abort()
    expect(await committed(log, group, name)).toBeUndefined()
    expect(await run(transactor, request(name, alone(group), 4, [['kept']]))).toMatchObject({
      kind: 'committed',
    })
    expect(valuesOf(await readAll(log, name))).toEqual(['kept'])
    expect(await committed(log, group, name)).toBe(4)
    await transactor.close()
  })

  define('runs transactions without records', async ({ log, topic }) => {
    const name = await topic()
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'))
    expect(await run(transactor, request(name, alone(group), 1))).toEqual({
      kind: 'committed',
      endOffsets: [],
    })
    expect(await committed(log, group, name)).toBe(1)
    await transactor.close()
  })

  define('refuses a transaction without offsets', async ({ log, topic }) => {
    const name = await topic()
    const transactor = await log.transactor(freshName('tx'))
    const { appends, group } = request(name, alone(freshName('group')), 0, [['a']])
    expect(await transactor.prepare({ appends, group, offsets: [] })).toMatchObject({ kind: 'aborted' })
    await transactor.abort()
    expect(await readAll(log, name)).toEqual([])
    await transactor.close()
  })

  define(
    'lets two transactional ids alternate, one prepared while the other commits',
    async ({ log, topic }) => {
      const name = await topic()
      const group = freshName('group')
      const ids = freshName('tx')
      const transactors = [await log.transactor(`${ids}-0`), await log.transactor(`${ids}-1`)] as const
      const outcomes: Promise<unknown>[] = []
      for (let round = 0; round < 10; round++) {
        const transactor = transactors[round % 2] as Transactor
        expect(await transactor.prepare(request(name, alone(group), round, [[`${round}`]]))).toBeUndefined()
        await outcomes.at(-1)
        outcomes.push(transactor.commit())
      }
      for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ kind: 'committed' })
      expect(valuesOf(await readAll(log, name)).join('')).toBe('0123456789')
      expect(await committed(log, group, name)).toBe(9)
      for (const transactor of transactors) await transactor.close()
    },
  )

  define('fences the former holder of a transactional id', async ({ log, connect, topic }) => {
    const name = await topic()
    const group = freshName('group')
    const id = freshName('tx')
    const former = await log.transactor(id)
    const bystander = await log.transactor(`${id}-other`)
    await former.prepare(request(name, alone(group), 1, [['former']]))
    const successor = await (await connect()).transactor(id)
    expect(await committed(log, group, name)).toBeUndefined()
    expect(await former.commit()).toMatchObject({ kind: 'fenced' })
    expect(await former.prepare(request(name, alone(group), 2, [['former']]))).toMatchObject({
      kind: 'fenced',
    })
    expect(await run(successor, request(name, alone(group), 3, [['successor']]))).toMatchObject({
      kind: 'committed',
    })
    expect(await run(bystander, request(name, alone(group), 4, [['other']]))).toMatchObject({
      kind: 'committed',
    })
    expect(valuesOf(await readAll(log, name))).toEqual(['successor', 'other'])
    expect(await committed(log, group, name)).toBe(4)
    for (const transactor of [former, successor, bystander]) await transactor.close()
  })

  define(
    'makes readers of stable offsets wait for an undecided transaction',
    async ({ log, topic, sleep }) => {
      const name = await topic()
      const group = freshName('group')
      const transactor = await log.transactor(freshName('tx'))
      await run(transactor, request(name, alone(group), 1))
      for (const decide of ['commit', 'abort'] as const) {
        const before = await committed(log, group, name)
        await transactor.prepare(request(name, alone(group), 9))
        let answered = false
        const stable = committed(log, group, name).then((offset) => {
          answered = true
          return offset
        })
        await sleep(20)
        expect(answered).toBe(false)
        expect(await committed(log, group, name, false)).toBe(before)
        await transactor[decide]()
        expect(await stable).toBe(9)
        expect(await committed(log, group, name)).toBe(9)
      }
      await transactor.close()
    },
  )

  define('aborts a transaction that stays open too long', async ({ log, topic, until }) => {
    const name = await topic()
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'), { transactionTimeoutMs: 30 })
    await transactor.prepare(request(name, alone(group), 5, [['late']]))
    await until('the offset is stable', async () => (await committed(log, group, name)) === undefined)
    const outcome = await transactor.commit()
    expect(['aborted', 'unknown', 'fenced']).toContain(outcome.kind)
    expect(await readAll(log, name)).toEqual([])
    expect(await committed(log, group, name)).toBeUndefined()
    await transactor.close()
  })

  define('appends more than one batch to a partition', async ({ log, topic }) => {
    const name = await topic(1, { maxMessageBytes: 2000 })
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'))
    const values = Array.from({ length: 9 }, (_, index) => `${index}`.repeat(700))
    expect(await run(transactor, request(name, alone(group), 1, [values]))).toEqual({
      kind: 'committed',
      endOffsets: [9],
    })
    expect(valuesOf(await readAll(log, name))).toEqual(values)
    const tooLarge = await transactor.prepare(request(name, alone(group), 2, [['a', 'x'.repeat(3000)]]))
    expect(tooLarge).toMatchObject({ kind: 'aborted', error: { code: 'LOG_RECORD_TOO_LARGE' } })
    await transactor.abort()
    expect((await readAll(log, name)).length).toBe(9)
    await transactor.close()
  })

  define('aborts for a topic that does not exist', async ({ log, topic }) => {
    const name = await topic()
    const transactor = await log.transactor(freshName('tx'))
    const group = alone(freshName('group'))
    const missing = request(freshName('none'), group, 1, [['a']])
    expect(await transactor.prepare(missing)).toMatchObject({ kind: 'aborted' })
    await transactor.abort()
    expect(await run(transactor, request(name, group, 1, [['b']]))).toMatchObject({ kind: 'committed' })
    await transactor.close()
  })

  define('forgets the offsets of a deleted group', async ({ log, topic }) => {
    const name = await topic()
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'))
    await run(transactor, request(name, alone(group), 5))
    await log.admin.deleteGroup(group)
    expect(await committed(log, group, name)).toBeUndefined()
    await transactor.close()
  })
}
