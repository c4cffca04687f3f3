import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { claimDirectory, discardDirectory, makeDirectory } from './owned-directory.ts'

let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-owned-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
})

test('a directory we made is ours, and may be discarded with all in it', async () => {
  const path = join(root, 'with', 'parents')
  await claimDirectory(path, 'state')
  await writeFile(join(path, 'data'), '')
  await claimDirectory(path, 'state')
  await discardDirectory(path, 'state')
  expect(await readdir(join(root, 'with'))).toEqual([])
  await discardDirectory(path, 'state')
})

test('an empty directory of others becomes ours', async () => {
  await claimDirectory(root, 'view')
  await claimDirectory(root, 'view')
})

test('what others put somewhere is neither taken nor deleted', async () => {
  const thesis = join(root, 'thesis.txt')
  await writeFile(thesis, 'two years of work')
  const foreign = expect.objectContaining({ code: 'DIRECTORY_FOREIGN' })
  await expect(claimDirectory(root, 'view')).rejects.toEqual(foreign)
  await expect(discardDirectory(root, 'view')).rejects.toEqual(foreign)
  await expect(claimDirectory(thesis, 'view')).rejects.toEqual(foreign)
  await expect(discardDirectory(thesis, 'view')).rejects.toEqual(foreign)
  expect(await readdir(root)).toEqual(['thesis.txt'])
})

test('one kind is not taken for another', async () => {
  await claimDirectory(root, 'state')
  await expect(claimDirectory(root, 'view')).rejects.toMatchObject({ code: 'DIRECTORY_FOREIGN' })
  await expect(discardDirectory(root, 'view')).rejects.toMatchObject({ code: 'DIRECTORY_FOREIGN' })
})

test('a place where nothing can be made says why, once', async () => {
  const file = join(root, 'file')
  await writeFile(file, '')
  await expect(makeDirectory(join(file, 'below'))).rejects.toMatchObject({ code: 'DIRECTORY_FAILED' })
  await expect(makeDirectory('/proc/millrace/below')).rejects.toMatchObject({ code: 'DIRECTORY_FAILED' })
  await mkdir(join(root, 'there'))
  await makeDirectory(join(root, 'there'))
})
