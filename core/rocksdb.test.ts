import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { RocksDatabase } from './rocksdb.ts'

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
