import { expect } from 'vitest'
import { appendValues, freshName, readAll, valuesOf } from './harness.ts'
import type { Define } from './harness.ts'
import { groupKillTests } from './groups.ts'
import { stickyAssignor } from './sticky-assignor.ts'
import { alone, committed, request } from './transactions.ts'

const deaf = {
  assigned: async () => undefined,
  revoked: async () => undefined,
  lost: async () => undefined,
}

export function lifecycleTests(define: Define): void {
  define('closes with calls in flight', async ({ connect, topic, log }) => {
    const name = await topic()
    const client = await connect()
    const appender = client.appender()
    const reader = client.reader()
    reader.seek({ topic: name, partition: 0 }, 0)
    await client.transactor(freshName('tx'))
    await client.join({ group: freshName('group'), topics: [name], assignor: stickyAssignor, listener: deaf })
    const appends = Promise.allSettled(
      ['a', 'b'].map((value) => appender.append({ topic: name, key: null, value })),
    )
    const polling = reader.poll(60_000).catch((error: unknown) => error)
    await Promise.all([client.close(), client.close()])
    const settled = await appends
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    await polling
    expect(valuesOf(await readAll(log, name))).toEqual(['a', 'b'])
  })

  define('refuses everything once it is closed', async ({ connect, topic }) => {
    const name = await topic()
    const client = await connect()
    await client.close()
    expect(() => client.appender()).toThrow(expect.objectContaining({ code: 'LOG_CLOSED' }))
    expect(() => client.reader()).toThrow(expect.objectContaining({ code: 'LOG_CLOSED' }))
    await expect(client.transactor('tx')).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await expect(client.admin.describeTopics([name])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await expect(
      client.join({ group: 'g', topics: [name], assignor: stickyAssignor, listener: deaf }),
    ).rejects.toMatchObject({ code: 'LOG_CLOSED' })
  })

  define('aborts what a closed transactor had prepared', async ({ log, topic }) => {
    const name = await topic()
    const group = freshName('group')
    const transactor = await log.transactor(freshName('tx'))
    await transactor.prepare(request(name, alone(group), 1, [['x']]))
    await transactor.close()
    expect(await committed(log, group, name)).toBeUndefined()
    expect(await transactor.commit()).toMatchObject({ kind: 'aborted' })
    expect(await readAll(log, name)).toEqual([])
  })
}

export function killTests(define: Define): void {
  groupKillTests(define)

  define(
    'aborts the open transaction of a crashed client when its id is taken over',
    async ({ log, connect, topic, kill }) => {
      const name = await topic()
      const group = freshName('group')
      const id = freshName('tx')
      const client = await connect()
      const transactor = await client.transactor(id)
      await transactor.prepare(request(name, alone(group), 1, [['x']]))
      await kill?.(client)
      const successor = await log.transactor(id)
      expect(await committed(log, group, name)).toBeUndefined()
      await successor.prepare(request(name, alone(group), 2, [['y']]))
      expect(await successor.commit()).toMatchObject({ kind: 'committed' })
      expect(valuesOf(await readAll(log, name))).toEqual(['y'])
      await successor.close()
    },
  )
}

export function reopenTests(define: Define): void {
  define('has everything that was acknowledged', async ({ log, topic, reopen }) => {
    const name = await topic(2, { timestamps: 'log-append' })
    const group = freshName('group')
    await appendValues(log, name, ['a', 'b'])
    const transactor = await log.transactor(freshName('tx'))
    await transactor.prepare(request(name, alone(group), 2, [['c'], ['d']]))
    await transactor.commit()
    await transactor.prepare(request(name, alone(group), 3, [['never']]))
    const before = await readAll(log, name)
    const described = await log.admin.describeTopics([name])
    const again = (await reopen?.()) ?? log
    expect(again.clusterId).toBe(log.clusterId)
    expect(await again.admin.describeTopics([name])).toEqual(described)
    expect(await readAll(again, name)).toEqual(before)
    expect(valuesOf(await readAll(again, name, 1))).toEqual(['d'])
    expect(await committed(again, group, name)).toBe(2)
    // Markers and aborted records take offsets where transactions are open on the log.
    expect((await appendValues(again, name, ['e']))[0]).toBeGreaterThanOrEqual(3)
  })

  define(
    'keeps the start, what was deleted, and the end of an emptied partition',
    async ({ log, topic, reopen }) => {
      const name = await topic()
      const gone = await topic()
      const place = { topic: name, partition: 0 }
      await appendValues(log, name, ['a', 'b'])
      await log.admin.deleteRecords([{ ...place, offset: 2 }])
      await log.admin.deleteTopics([gone])
      const again = (await reopen?.()) ?? log
      expect((await again.admin.describeTopics([gone])).size).toBe(0)
      expect(await again.admin.offsets([place])).toMatchObject([{ start: 2, highWatermark: 2 }])
      expect(await readAll(again, name)).toEqual([])
    },
  )

  define('reads old and new records from any position', async ({ log, topic, reopen }) => {
    const name = await topic()
    for (let batch = 0; batch < 5; batch++) await appendValues(log, name, ['x', 'y', 'z'])
    const again = (await reopen?.()) ?? log
    await appendValues(again, name, ['n', 'm'])
    const expected = 'xyz'.repeat(5) + 'nm'
    for (let from = 0; from <= expected.length; from++) {
      expect(valuesOf(await readAll(again, name, 0, from)).join('')).toBe(expected.slice(from))
    }
  })
}
