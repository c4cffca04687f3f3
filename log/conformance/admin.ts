import { expect } from 'vitest'
import { appendValues, freshName, readAll, valuesOf } from './harness.ts'
import type { Define } from './harness.ts'

export function adminTests(define: Define): void {
  define('names the log the same for every client', async ({ log, connect }) => {
    expect(log.clusterId).not.toBe('')
    expect((await connect()).clusterId).toBe(log.clusterId)
  })

  define('creates topics with their settings and defaults', async ({ log }) => {
    const name = freshName('topic')
    const settings = { cleanup: 'compact', timestamps: 'log-append', maxMessageBytes: 5000 } as const
    await log.admin.ensureTopics([{ name, partitions: 3, settings }])
    const described = await log.admin.describeTopics([name, freshName('none')])
    expect([...described.keys()]).toEqual([name])
    expect(described.get(name)).toMatchObject({
      name,
      partitions: 3,
      settings: { ...settings, retentionMs: -1, deleteRetentionMs: 7 * 24 * 60 * 60 * 1000 },
    })
  })

  define('accepts topics that exist as asked, from two clients at once', async ({ log, connect }) => {
    const spec = { name: freshName('topic'), partitions: 2, settings: { cleanup: 'delete' } } as const
    const other = await connect()
    await Promise.all([log.admin.ensureTopics([spec]), other.admin.ensureTopics([spec])])
    const before = (await log.admin.describeTopics([spec.name])).get(spec.name)
    await log.admin.ensureTopics([spec, spec])
    const after = (await other.admin.describeTopics([spec.name])).get(spec.name)
    expect(after).toEqual(before)
  })

  define('names every difference of a topic that exists otherwise', async ({ log, topic }) => {
    const name = await topic(2, { cleanup: 'delete', retentionMs: 1000 })
    const asked = { name, partitions: 3, settings: { cleanup: 'compact', retentionMs: 2000 } } as const
    const failure = await log.admin.ensureTopics([asked]).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'LOG_TOPIC_MISMATCH' })
    for (const word of [name, 'partitions', 'cleanup', 'retentionMs', '2000']) {
      expect((failure as Error).message).toContain(word)
    }
    expect((await log.admin.describeTopics([name])).get(name)?.partitions).toBe(2)
  })

  define('gives a topic that is created again another id and no records', async ({ log, topic, until }) => {
    const name = await topic()
    const spec = { name, partitions: 1, settings: { cleanup: 'delete' } } as const
    await appendValues(log, name, ['old'])
    const before = (await log.admin.describeTopics([name])).get(name)
    await log.admin.deleteTopics([name])
    await until('the topic is gone', async () => (await log.admin.describeTopics([name])).size === 0)
    await log.admin.ensureTopics([spec])
    const after = (await log.admin.describeTopics([name])).get(name)
    expect(after?.topicId).not.toBe(before?.topicId)
    expect(await readAll(log, name)).toEqual([])
    await until('appends reach the new topic', async () => {
      const appended = await appendValues(log, name, ['new']).catch(() => [])
      return appended.length === 1
    })
    expect(valuesOf(await readAll(log, name))).toEqual(['new'])
  })

  define('deletes nothing where there is nothing', async ({ log }) => {
    await log.admin.deleteTopics([freshName('none')])
    await log.admin.deleteGroup(freshName('none'))
  })

  define('fails for offsets of an unknown topic', async ({ log, topic }) => {
    const name = await topic()
    for (const place of [
      { topic: freshName('none'), partition: 0 },
      { topic: name, partition: 1 },
    ]) {
      await expect(log.admin.offsets([place])).rejects.toMatchObject({ code: 'LOG_UNKNOWN_TOPIC' })
    }
  })

  define('deletes records below an offset, inside a batch too', async ({ log, topic }) => {
    const name = await topic()
    const place = { topic: name, partition: 0 }
    await appendValues(log, name, ['a', 'b', 'c'])
    await appendValues(log, name, ['d'])
    await log.admin.deleteRecords([{ ...place, offset: 2 }])
    expect(await log.admin.offsets([place])).toEqual([
      { ...place, start: 2, highWatermark: 4, lastStableOffset: 4 },
    ])
    expect(valuesOf(await readAll(log, name))).toEqual(['c', 'd'])
    await log.admin.deleteRecords([{ ...place, offset: 1 }])
    expect(await log.admin.offsets([place])).toMatchObject([{ start: 2 }])
    await log.admin.deleteRecords([{ ...place, offset: 4 }])
    expect(await readAll(log, name)).toEqual([])
    expect(await appendValues(log, name, ['e'])).toEqual([4])
    expect(valuesOf(await readAll(log, name))).toEqual(['e'])
    await expect(log.admin.deleteRecords([{ ...place, offset: 6 }])).rejects.toMatchObject({
      code: 'LOG_OFFSET_OUT_OF_RANGE',
    })
    expect(valuesOf(await readAll(log, name))).toEqual(['e'])
  })

  define('knows no offsets of a group that committed none', async ({ log, topic }) => {
    const place = { topic: await topic(), partition: 0 }
    expect(await log.admin.committedOffsets(freshName('group'), [place], { requireStable: true })).toEqual([
      { ...place, offset: undefined, metadata: '' },
    ])
  })
}
