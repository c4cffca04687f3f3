import { expect, test } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { CommittedOffset, Log, Transactor } from '#log'
import { stableOffsets } from './former-owner.ts'
import type { FormerOwnerOptions } from './former-owner.ts'

const inputs = [{ topic: 'in', partition: 0 }]
const changelogs = [{ topic: 'changelog', partition: 0 }]

/** A log whose offsets are undecided until somebody takes over the id that has a transaction open. */
function undecided(openId: string, metadata = ''): { readonly log: Log; readonly taken: string[] } {
  const taken: string[] = []
  const decided = Promise.withResolvers<void>()
  const offsets: readonly CommittedOffset[] = [{ topic: 'in', partition: 0, offset: 7, metadata }]
  const admin: Partial<Log['admin']> = {
    async committedOffsets(_group, _partitions, { requireStable }) {
      if (requireStable) await decided.promise
      return offsets
    },
    openTransactions: () => Promise.resolve([openId]),
  }
  const transactor = async (id: string): Promise<Transactor> => {
    taken.push(id)
    if (id === openId) decided.resolve()
    return { close: () => Promise.resolve() } as Transactor
  }
  return { log: { admin, transactor } as Log, taken }
}

function options(log: Log, others: Partial<FormerOwnerOptions> = {}): FormerOwnerOptions {
  const { signal } = new AbortController()
  return {
    log,
    clock: systemClock,
    logger: silentLogger,
    group: 'app',
    signal,
    isMember: () => false,
    ...others,
  }
}

test('an owner that died in its first transaction, which the offsets do not name, is fenced', async () => {
  const { log, taken } = undecided('app-second-0', 'app-first;1;0')
  expect(await stableOffsets(options(log), inputs, changelogs)).toMatchObject([{ offset: 7 }])
  expect(taken).toEqual(['app-first-0', 'app-second-0'])
})

test('an owner that was a member a moment ago is looked at again', async () => {
  const { log } = undecided('app-second-0')
  let looks = 0
  const isMember = (): boolean => looks++ === 0
  expect(await stableOffsets(options(log, { isMember }), inputs, changelogs)).toHaveLength(1)
  expect(looks).toBe(2)
})

test('whoever has given up does not wait for a member that decides', async () => {
  const { log, taken } = undecided('app-second-0')
  const halt = new AbortController()
  const waiting = stableOffsets(
    options(log, { signal: halt.signal, isMember: () => true }),
    inputs,
    changelogs,
  )
  halt.abort()
  expect(await waiting).toBeUndefined()
  expect(taken).toEqual([])
})

test('offsets that are decided are not waited for any longer, nor is anybody fenced then', async () => {
  const decided = Promise.withResolvers<void>()
  const found = Promise.withResolvers<readonly string[]>()
  const { log, taken } = undecided('app-second-0')
  const admin: Partial<Log['admin']> = {
    async committedOffsets(_group, _partitions, { requireStable }) {
      if (requireStable) await decided.promise
      return [{ topic: 'in', partition: 0, offset: 7, metadata: '' }]
    },
    openTransactions() {
      decided.resolve()
      return found.promise
    },
  }
  expect(await stableOffsets(options({ ...log, admin } as Log), inputs, changelogs)).toHaveLength(1)
  found.resolve(['app-second-0'])
  await systemClock.yield()
  expect(taken).toEqual([])
})
