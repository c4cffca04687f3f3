import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { RocksDatabase, silentLogger } from '#core'
import { recordingLogger } from '../../test/gateway/recording-logger.ts'
import { openViewDatabase } from './view-database.ts'

let root: string
let directory: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-view-'))
  directory = join(root, 'view')
  onTestFinished(() => rm(root, { recursive: true, force: true }))
})

const log = { clusterId: 'here', topicIds: ['a', 'b'] }
const key = Buffer.from([0x7f])

async function openedWith(of: typeof log, logger = silentLogger): Promise<string | undefined> {
  const db = await openViewDatabase(directory, of, logger)
  const found = db.get(key)?.toString()
  const batch = db.batch()
  batch.put(key, Buffer.from('kept'))
  db.write(batch, { sync: false })
  await db.close()
  return found
}

describe('a directory of our own', () => {
  it('keeps its view while the log is the same', async () => {
    expect(await openedWith(log)).toBeUndefined()
    expect(await openedWith(log)).toBe('kept')
  })

  it('is built again for another log, with a warning', async () => {
    await openedWith(log)
    const { logger, lines } = recordingLogger()
    expect(await openedWith({ ...log, clusterId: 'elsewhere' }, logger)).toBeUndefined()
    expect(lines).toEqual([{ level: 'warn', message: expect.stringContaining('built again') }])
    expect(await openedWith({ ...log, clusterId: 'elsewhere' })).toBe('kept')
  })

  it('is built again when it cannot be read, with a warning', async () => {
    await openedWith(log)
    await writeFile(join(directory, 'CURRENT'), 'nonsense')
    const { logger, lines } = recordingLogger()
    expect(await openedWith(log, logger)).toBeUndefined()
    expect(lines).toEqual([{ level: 'warn', message: expect.stringContaining('built again') }])
  })
})

describe('what is not ours is refused and left as it is', () => {
  const foreign = { code: 'DIRECTORY_FOREIGN', reaction: 'stop' }

  it('a folder of somebody', async () => {
    await mkdir(directory)
    await writeFile(join(directory, 'thesis.txt'), 'two years of work')
    await expect(openViewDatabase(directory, log, silentLogger)).rejects.toMatchObject(foreign)
    expect(await readdir(directory)).toEqual(['thesis.txt'])
  })

  it('a plain file', async () => {
    await writeFile(directory, 'two years of work')
    await expect(openViewDatabase(directory, log, silentLogger)).rejects.toMatchObject(foreign)
    expect(await readFile(directory, 'utf8')).toBe('two years of work')
  })

  it('a database, such as a log that nobody has open now', async () => {
    const other = await RocksDatabase.open(directory)
    const batch = other.batch()
    batch.put(key, Buffer.from('theirs'))
    other.write(batch, { sync: true })
    await other.close()
    const before = await readdir(directory)
    await expect(openViewDatabase(directory, log, silentLogger)).rejects.toMatchObject(foreign)
    expect(await readdir(directory)).toEqual(before)
    const again = await RocksDatabase.open(directory)
    expect(again.get(key)?.toString()).toBe('theirs')
    await again.close()
  })
})
