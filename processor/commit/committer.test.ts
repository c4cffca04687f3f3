import { describe, expect, test } from 'vitest'
import type { TransactionOutcome, TransactionRequest, Transactor } from '#log'
import { Committer } from './committer.ts'

/** Transactors whose every answer a test gives by hand, with a protocol of what was asked. */
function scripted(): {
  readonly transactors: Transactor[]
  readonly asked: string[]
  answer(what: string, outcome?: TransactionOutcome): Promise<void>
} {
  const asked: string[] = []
  const waiting = new Map<string, (outcome: TransactionOutcome | undefined) => void>()
  const ask = <T>(what: string): Promise<T> => {
    asked.push(what)
    return new Promise((resolve) =>
      waiting.set(what, resolve as (outcome: TransactionOutcome | undefined) => void),
    )
  }
  const transactors = ['a', 'b'].map((id): Transactor => ({
    transactionalId: id,
    prepare: () => ask(`${id} prepare`),
    commit: () => ask(`${id} commit`),
    abort: async () => void asked.push(`${id} abort`),
    close: async () => undefined,
  }))
  return {
    transactors,
    asked,
    async answer(what, outcome) {
      const resolve = waiting.get(what)
      if (resolve === undefined) throw new Error(`${what} was not asked`)
      waiting.delete(what)
      resolve(outcome)
      // Whatever follows from the answer happens within a few microtasks.
      await new Promise((done) => setImmediate(done))
    },
  }
}

const request: TransactionRequest = {
  appends: [],
  group: { group: 'g', generation: 1, memberId: 'm' },
  offsets: [],
}
const committed: TransactionOutcome = { kind: 'committed', endOffsets: [] }
const settle = (): Promise<void> => new Promise((done) => setImmediate(done))

describe('two transactions in flight', () => {
  test('the second is sent only after the first is acknowledged, and decided only after it is committed', async () => {
    const { transactors, asked, answer } = scripted()
    const committer = new Committer(transactors, () => {})
    const first = committer.commit(request)
    await settle()
    expect(committer.free).toBe(false)
    expect(asked).toEqual(['a prepare'])
    await answer('a prepare')
    expect(committer.free).toBe(true)
    const second = committer.commit(request)
    await settle()
    await answer('b prepare')
    expect(asked).toEqual(['a prepare', 'a commit', 'b prepare'])
    expect(committer.free).toBe(false)
    await answer('a commit', committed)
    expect(await first).toBe(committed)
    expect(asked.at(-1)).toBe('b commit')
    await answer('b commit', committed)
    expect(await second).toBe(committed)
    expect(committer.free).toBe(true)
  })

  test.each(['aborted', 'unknown', 'fenced'] as const)(
    'the second is given up when the first is %s',
    async (kind) => {
      const { transactors, asked, answer } = scripted()
      const committer = new Committer(transactors, () => {})
      const first = committer.commit(request)
      await settle()
      await answer('a prepare')
      const second = committer.commit(request)
      await settle()
      await answer('b prepare')
      const failure: TransactionOutcome = { kind, error: new Error(kind) }
      await answer('a commit', failure)
      expect(await first).toBe(failure)
      expect(await second).toMatchObject({ kind: 'aborted' })
      expect(asked).not.toContain('b commit')
      expect(asked.at(-1)).toBe('b abort')
    },
  )

  test('a first that cannot be sent takes the second with it, unsent', async () => {
    const { transactors, asked, answer } = scripted()
    const committer = new Committer(transactors, () => {})
    const first = committer.commit(request)
    const second = committer.commit(request)
    await settle()
    await answer('a prepare', { kind: 'aborted', error: new Error('refused') })
    expect(await first).toMatchObject({ kind: 'aborted' })
    expect(await second).toMatchObject({ kind: 'aborted' })
    expect(asked).not.toContain('b prepare')
  })
})

test('what a driver throws counts as an unknown outcome', async () => {
  const { transactors } = scripted()
  const broken: Transactor = {
    ...(transactors[0] as Transactor),
    prepare: () => Promise.reject(new Error('broken')),
  }
  expect(await new Committer([broken], () => {}).commit(request)).toMatchObject({
    kind: 'unknown',
    error: new Error('broken'),
  })
})
