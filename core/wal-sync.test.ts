import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { RocksDatabase } from './rocksdb.ts'
import { WatchedSyncs } from './testing/watched-syncs.ts'
import { WalSync } from './wal-sync.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-wal-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
})

afterEach(() => {
  vi.restoreAllMocks()
})

async function walFiles(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.endsWith('.log')).toSorted()
}

describe('what the disk has after a power loss', () => {
  const value = Buffer.alloc(10_000, 'x')
  const put = (db: RocksDatabase, number: number): void => {
    const batch = db.batch()
    batch.put(Buffer.from(`${number}`.padStart(6, '0')), value)
    db.write(batch, { sync: false })
  }

  it.each([1, 2, 3, 5, 20, 21, 22])(
    'is all that %d syncs answered for, with files of the log that ended between them',
    async (syncs) => {
      const synced = await WatchedSyncs.watch(directory)
      const path = join(directory, 'db')
      const db = await RocksDatabase.open(path, { memtableBytes: 256 << 10, compression: false })
      let written = 0
      for (let sync = 0; sync < syncs; sync++) {
        for (let write = 0; write < 4; write++) put(db, written++)
        await db.sync()
      }
      put(db, written)
      await db.close()
      // The tables were fsynced by RocksDB before it deleted what of its log they hold.
      for (const name of await walFiles(path)) {
        await truncate(join(path, name), synced.bytesOf(join(path, name)) ?? 0)
      }
      const after = await RocksDatabase.open(path)
      onTestFinished(() => after.close())
      expect([...after.scan()].map(([key]) => Number(key))).toEqual(
        Array.from({ length: written }, (_, index) => index),
      )
    },
  )
})

describe('the sync of the write-ahead log', () => {
  let version = 0
  const names: string[] = []

  async function begin(...files: readonly string[]): Promise<WalSync> {
    names.length = 0
    for (const name of files) await addFile(name)
    const wal = new WalSync(directory, () => `${version}`)
    onTestFinished(() => wal.close())
    return wal
  }

  async function addFile(name: string): Promise<void> {
    await writeFile(join(directory, name), name)
    names.push(name)
    version++
  }

  /** Which files were synced since it was asked last. */
  function taken(synced: WatchedSyncs): string[] {
    const found = names.filter((name) => synced.bytesOf(join(directory, name)) !== undefined)
    synced.forget()
    return found
  }

  it('covers every file that may hold unsynced bytes, and each no longer than that', async () => {
    const synced = await WatchedSyncs.watch(directory)
    const wal = await begin('000004.log', '000007.log', '000009.sst')
    await wal.sync()
    expect(taken(synced)).toEqual(['000004.log', '000007.log'])
    await wal.sync()
    expect(taken(synced)).toEqual(['000007.log'])
    await addFile('000010.log')
    await addFile('000012.log')
    await wal.sync()
    expect(taken(synced)).toEqual(['000007.log', '000010.log', '000012.log'])
    await wal.sync()
    expect(taken(synced)).toEqual(['000012.log'])
  })

  it('takes a file that is gone for one that is in the tables', async () => {
    const synced = await WatchedSyncs.watch(directory)
    const wal = await begin('000004.log')
    await symlink(join(directory, 'gone'), join(directory, '000005.log'))
    await wal.sync()
    expect(taken(synced)).toEqual(['000004.log'])
    // One that goes while it is open can still be synced.
    await rm(join(directory, '000004.log'))
    await wal.sync()
  })

  it('fails when a file cannot be synced', async () => {
    const wal = await begin('000004.log')
    await symlink('/dev/null', join(directory, '000005.log'))
    await expect(wal.sync()).rejects.toMatchObject({ code: 'EINVAL' })
  })
})

it('a database that failed to sync takes no more writes', async () => {
  const path = join(directory, 'db')
  await mkdir(path)
  const db = await RocksDatabase.open(path)
  onTestFinished(() => db.close())
  const batch = db.batch()
  batch.put(Buffer.from('a'), Buffer.from('1'))
  db.write(batch, { sync: false })
  await symlink('/dev/null', join(path, '999999.log'))
  await expect(db.sync()).rejects.toMatchObject({ code: 'ROCKSDB_FAILED' })
  await rm(join(path, '999999.log'))
  await expect(db.sync()).rejects.toMatchObject({ code: 'ROCKSDB_FAILED' })
  const later = db.batch()
  later.put(Buffer.from('b'), Buffer.from('2'))
  expect(() => db.write(later, { sync: false })).toThrow('EINVAL')
})
