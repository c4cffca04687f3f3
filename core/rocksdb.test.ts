import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { RocksDatabase } from './rocksdb.ts'
import type { RocksBatch } from './rocksdb.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-rocksdb-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
})

async function open(path: string): Promise<RocksDatabase> {
  const db = await RocksDatabase.open(path)
  onTestFinished(() => db.close())
  return db
}

const key = (text: string): Buffer => Buffer.from(text)

test('what a batch wrote is there after reopening, in key order', async () => {
  const path = join(directory, 'with', 'parents')
  const db = await open(path)
  const batch = db.batch()
  batch.put(key('b'), key('2'))
  batch.put(key('a'), key('1'))
  batch.delete(key('b'))
  batch.put(key('c'), key('3'))
  db.write(batch, { sync: true })
  await db.close()
  const again = await open(path)
  expect([...again.scan({ gte: key('a'), lt: key('d') })].map(String)).toEqual(['a,1', 'c,3'])
  expect(again.getMany([key('c'), key('b')]).map((value) => value?.toString())).toEqual(['3', undefined])
})

test.each([
  ['a batch', (db: RocksDatabase) => db.write(onePut(db), { sync: false })],
  ['a scan', (db: RocksDatabase) => [...db.scan({ gte: key('a') })]],
  ['a scan that is closed early', (db: RocksDatabase) => db.scan().close()],
])('%s leaves nothing in memory while the database is open', async (_, use) => {
  const db = await open(directory)
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const heapAfter = async (times: number): Promise<number> => {
    for (let at = 0; at < times; at++) use(db)
    await setImmediate()
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const before = await heapAfter(500)
  const perUse = ((await heapAfter(5000)) - before) / 5000
  expect(perUse).toBeLessThan(200)
})

function onePut(db: RocksDatabase): RocksBatch {
  const batch = db.batch()
  batch.put(key('a'), key('1'))
  return batch
}

test('a directory has one owner, and says so', async () => {
  await open(directory)
  await expect(RocksDatabase.open(directory)).rejects.toMatchObject({
    code: 'ROCKSDB_LOCKED',
    reaction: 'stop',
  })
})

test('a damaged directory asks to be wiped', async () => {
  const db = await open(directory)
  const batch = db.batch()
  batch.put(key('a'), key('1'))
  db.write(batch, { sync: true })
  await db.close()
  for (const file of await readdir(directory))
    if (file.startsWith('MANIFEST')) await truncate(join(directory, file), 9)
  await expect(RocksDatabase.open(directory)).rejects.toMatchObject({
    code: 'ROCKSDB_CORRUPT',
    reaction: 'wipe-restore',
  })
})

test('a place where nothing can be created is not taken for damaged data', async () => {
  await writeFile(join(directory, 'file'), '')
  for (const path of [join(directory, 'file', 'below'), '/proc/millrace']) {
    await expect(RocksDatabase.open(path)).rejects.toMatchObject({
      code: 'DIRECTORY_FAILED',
      reaction: 'stop',
    })
  }
})
