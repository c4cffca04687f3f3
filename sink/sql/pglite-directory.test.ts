import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqlDatabase } from './open.ts'
import { lockPglite } from './pglite-directory.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-pglite-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

it('is taken by one at a time', async () => {
  const database = join(directory, 'database')
  const lock = await lockPglite(database)
  await expect(lockPglite(database)).rejects.toMatchObject({ code: 'ROCKSDB_LOCKED' })
  await lock.release()
  await (await lockPglite(database)).release()
})

it('is taken also after its lock was damaged', async () => {
  await (await lockPglite(directory)).release()
  await writeFile(join(directory, 'lock', 'CURRENT'), 'damaged')
  await (await lockPglite(directory)).release()
})

it('is left as it is when it holds the database of another', async () => {
  await mkdir(join(directory, 'base'))
  await writeFile(join(directory, 'PG_VERSION'), '18\n')
  const sql = openSqlDatabase(`pglite:${directory}`, { connections: 1 })
  await expect(lockPglite(directory)).rejects.toMatchObject({ code: 'DIRECTORY_FOREIGN' })
  await expect(sql.query('select 1')).rejects.toMatchObject({ code: 'DIRECTORY_FOREIGN' })
  await sql.close()
  expect((await readdir(directory)).toSorted()).toEqual(['PG_VERSION', 'base'])
})
