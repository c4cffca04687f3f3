/** What every StateBackend on a disk must do. */
import { cp, mkdtemp, rm, writeFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { levelStorage, rocksStorage } from './storage.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

async function temporary(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-backend-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  return join(root, 'state')
}

describe.each([
  ['rocksdb', rocksStorage()],
  ['level', levelStorage()],
])('%s', (_, storage) => {
  test('writes are visible at once, and there again after opening it again', async () => {
    const directory = await temporary()
    const backend = await storage.open(directory)
    const reused = bytes('first')
    backend.write((batch) => {
      batch.put(bytes('a'), reused)
      batch.put(bytes('b'), bytes('2'))
      batch.delete(bytes('b'))
    })
    reused.fill('x')
    backend.write((batch) => batch.put(bytes('c'), bytes('')))
    const keys = ['c', 'a', 'b'].map(bytes)
    expect(backend.getMany(keys).map((value) => value?.toString())).toEqual(['', 'first', undefined])
    await backend.close()
    const again = await storage.open(directory)
    expect(again.getMany(keys).map((value) => value?.toString())).toEqual(['', 'first', undefined])
    await again.close()
    await storage.wipe(directory)
    const wiped = await storage.open(directory)
    expect(wiped.getMany(keys)).toEqual([undefined, undefined, undefined])
    await wiped.close()
  })

  test('a scan is in the order of the bytes and does not see what is written meanwhile', async () => {
    const backend = await storage.open(await temporary())
    const keys = ['', '\u0000', 'a', 'a\u0000', 'aa', 'b', '\u00fe', '\u00ff', '\u00ff\u00ff'].slice(1)
    backend.write((batch) => keys.toReversed().forEach((key) => batch.put(bytes(key), bytes(key))))
    const scan = backend.scan({ gte: bytes('a'), lt: bytes('\u00ff\u00ff') })[Symbol.iterator]()
    const seen = [scan.next().value[0].toString('latin1')]
    backend.write((batch) => {
      batch.put(bytes('aa'), bytes('new'))
      batch.put(bytes('ab'), bytes('new'))
      batch.delete(bytes('b'))
    })
    for (let step = scan.next(); !step.done; step = scan.next()) {
      seen.push(step.value[0].toString('latin1'))
      expect(step.value[1]).toEqual(step.value[0])
    }
    expect(seen).toEqual(['a', 'a\u0000', 'aa', 'b', '\u00fe', '\u00ff'])
    backend.deleteRange({ gte: bytes('a'), lt: bytes('b') })
    const left = [...backend.scan({ gte: bytes(''), lt: bytes('\u00ff\u00ff\u00ff') })]
    expect(left.map(([key]) => key.toString('latin1'))).toEqual([
      '\u0000',
      '\u00fe',
      '\u00ff',
      '\u00ff\u00ff',
    ])
    await backend.close()
  })

  test('a second owner is refused, and a closed one cannot be used', async () => {
    const directory = await temporary()
    const backend = await storage.open(directory)
    await expect(storage.open(directory)).rejects.toMatchObject({
      code: expect.stringMatching(/^(ROCKSDB|STATE)_LOCKED$/),
    })
    backend.write((batch) => batch.put(bytes('a'), bytes('1')))
    const scan = backend.scan({ gte: bytes('a'), lt: bytes('b') })[Symbol.iterator]()
    await backend.close()
    const unusable = expect.objectContaining({ code: expect.stringMatching(/^(ROCKSDB|STATE)_CLOSED$/) })
    expect(() => backend.getMany([bytes('a')])).toThrow(unusable)
    expect(() => backend.write((batch) => batch.put(bytes('a'), bytes('1')))).toThrow(unusable)
    expect(() => scan.next()).toThrow(unusable)
  })

  test('a damaged directory is told apart from others', async () => {
    const directory = await temporary()
    const backend = await storage.open(directory)
    backend.write((batch) => batch.put(bytes('a'), bytes('1')))
    await backend.close()
    const copy = `${directory}-copy`
    onTestFinished(() => rm(copy, { recursive: true, force: true }))
    await cp(directory, copy, { recursive: true })
    for (const file of await readdir(copy)) {
      if (/^(MANIFEST|CURRENT)/.test(file)) await writeFile(join(copy, file), 'damaged')
    }
    await expect(storage.open(copy)).rejects.toMatchObject({
      code: 'STATE_UNUSABLE',
      reaction: 'wipe-restore',
    })
  })
})
