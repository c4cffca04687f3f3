/** Disks that are full, damaged or taken: nothing acknowledged is lost, and the user is told what to do. */
import { readdir, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { taskDirectory } from '#state'
import { startProgram } from '../../cli/demo/program.ts'
import { openCoupon, partitions } from '../system/commands.ts'
import { Load } from '../system/load.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { SmallDisk } from '../system/small-disk.ts'
import { System } from '../system/system.ts'
import { verify } from '../system/verify.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function create(parent = tmpdir()): Promise<System> {
  const system = await System.create({ parent })
  cleanups.push(() => system.destroy())
  return system
}

async function claimed(system: System, users: number): Promise<string[]> {
  const answers = await Promise.all(
    Array.from({ length: users }, (_, at) =>
      system.http.send('POST', '/api/v1/coupons/one/claims', { userId: `user-${at}` }),
    ),
  )
  return answers.map(({ body }) => (body as { claimId: string }).claimId)
}

test('a full disk stops the program with a clear line, and nothing acknowledged is lost', async () => {
  const disk = SmallDisk.mount(256)
  cleanups.push(() => disk.unmount())
  const system = await create(disk.directory)
  await system.start()
  await openCoupon(system, 'one', { stock: 1e9 })
  disk.fillUpTo(2 << 20)
  const random = new SeededRandom(1)
  const load = new Load({ system, random, coupons: ['one'], users: 1e9, clients: 64 })
  load.start()
  expect(await system.ended()).toBe(1)
  await load.stop()
  expect(system.stderr).toMatch(/No space left on device/)
  expect(load.acknowledged.length).toBeGreaterThan(0)

  disk.release()
  await system.start()
  await load.finish()
  const claimIds = load.acknowledged.map(({ claimId }) => claimId)
  await decided(system, claimIds.slice(-5))
  await loaded(system, endsOf(claimIds))
  await system.stop()
  const { violations } = await verify(system, load.acknowledged)
  expect(violations).toEqual([])
})

test('a damaged state directory is rebuilt from the changelog, with a line in the log', async () => {
  const system = await create()
  await system.start()
  await openCoupon(system, 'one', { stock: 100 })
  const first = await claimed(system, 50)
  await decided(system, first)
  await system.stop()
  for (let partition = 0; partition < partitions; partition++) {
    const directory = taskDirectory(system.stateDir, system.appId, `0_${partition}`)
    for (const file of await readdir(directory)) {
      if (/^(CURRENT|MANIFEST|.*\.(log|sst))/.test(file)) await truncate(join(directory, file), 3)
    }
    await writeFile(join(directory, 'CURRENT'), 'damaged')
  }
  await system.start()
  expect(system.stderr).toMatch(/local state wiped, restoring it from the changelog/)
  const second = await claimed(system, 80)
  await decided(system, second)
  await loaded(system, endsOf([...first, ...second]))
  await system.stop()
  const { violations, histories } = await verify(system)
  expect(violations).toEqual([])
  const issued = histories.flatMap(({ results }) => results).filter(({ outcome }) => outcome === 'issued')
  expect(issued).toHaveLength(80)
})

test('a data directory or a port in use is one line that names the variable to change', async () => {
  const system = await create()
  await system.start()
  const started = async (directory: string, environment: Record<string, string>): Promise<string> => {
    let stderr = ''
    const onStderr = (text: string): void => void (stderr += text)
    await expect(startProgram(directory, systemClock, { environment, onStderr })).rejects.toThrow(
      /did not start/,
    )
    return stderr
  }
  const taken = await started(system.directory, {})
  expect(taken.trim().split('\n')).toHaveLength(1)
  expect(taken).toMatch(/LOG_URL/)
  const other = await create()
  const { port } = new URL(system.url)
  const busy = await started(other.directory, { PORT: port })
  expect(busy.trim().split('\n')).toHaveLength(1)
  expect(busy).toMatch(/PORT/)
  const shared = await started(other.directory, { STATE_DIR: system.stateDir })
  expect(shared.trim().split('\n')).toHaveLength(1)
  expect(shared).toMatch(/STATE_DIR/)
})
