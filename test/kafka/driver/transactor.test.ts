import { describe, expect, it } from 'vitest'
import type { Transactor } from '#log'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, proxied, readValues, request, untilStable } from './kafka-logs.ts'

async function setUp(partitions = 1) {
  const shared = kafka()
  const log = await connect(shared.brokers)
  const topic = await makeTopic(log, `${shared.prefix}topic`, partitions)
  return { shared, log, topic, group: `${shared.prefix}group`, id: `${shared.prefix}tx` }
}

async function run(transactor: Transactor, ...parts: Parameters<typeof request>): Promise<unknown> {
  return (await transactor.prepare(request(...parts))) ?? (await transactor.commit())
}

describe('two transactional ids in turn', () => {
  it('commit 200 transactions in order, without the stall of back-to-back ones', async () => {
    const { log, topic, group, id } = await setUp(2)
    const transactors = [await log.transactor(`${id}-0`), await log.transactor(`${id}-1`)] as const
    let committing: Promise<unknown> = Promise.resolve({ kind: 'committed' })
    const rounds = 200
    for (let round = 0; round < rounds; round++) {
      const transactor = transactors[(round % 2) as 0 | 1]
      expect(await transactor.prepare(request(topic, group, round, [`${round}`, `${round}`]))).toBeUndefined()
      expect(await committing).toMatchObject({ kind: 'committed' })
      committing = transactor.commit()
    }
    expect(await committing).toMatchObject({ kind: 'committed' })
    await untilStable(log, topic, 2)
    const values = await readValues(log, topic, 2)
    for (const partition of [0, 1]) {
      const here = values.filter((one) => one.partition === partition).map(({ value }) => Number(value))
      expect(here).toEqual(Array.from({ length: rounds }, (_, round) => round))
    }
    const place = { topic, partition: 0 }
    expect(await log.admin.committedOffsets(group, [place], { requireStable: true })).toMatchObject([
      { offset: rounds - 1 },
    ])
  })
})

describe('a transactor whose id is taken over', () => {
  it.each(['prepare', 'commit'] as const)('is fenced for good, at %s', async (moment) => {
    const { shared, log, topic, group, id } = await setUp()
    const former = await log.transactor(id)
    if (moment === 'commit') await former.prepare(request(topic, group, 1, ['never']))
    const successor = await (await connect(shared.brokers)).transactor(id)
    const failed = moment === 'commit' ? await former.commit() : await run(former, topic, group, 1, ['never'])
    expect(failed).toMatchObject({ kind: 'fenced', error: { code: 'LOG_FENCED' } })
    await former.abort()
    expect(await former.prepare(request(topic, group, 2, ['never']))).toMatchObject({ kind: 'fenced' })
    expect(await run(successor, topic, group, 3, ['kept'])).toMatchObject({ kind: 'committed' })
    await untilStable(log, topic)
    expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['kept'])
  })
})

describe('an answer that is lost', () => {
  it.each(['commit', 'abort'] as const)(
    'of EndTxn: %s is asked again until it is known',
    async (decision) => {
      const { shared, log, topic, group, id } = await setUp()
      const proxy = await proxied(shared)
      const transactor = await (await connect(proxy.brokers)).transactor(id)
      await transactor.prepare(request(topic, group, 1, ['first']))
      const rule = proxy.rule({ direction: 'response', apiKey: apiKeys.endTxn, nth: 1 }, 'cut')
      const outcome = await transactor[decision]()
      expect(rule.hits).toBe(1)
      if (decision === 'commit') expect(outcome).toMatchObject({ kind: 'committed' })
      // The epoch came with the answer that was not lost: the next transaction is accepted.
      expect(await run(transactor, topic, group, 2, ['second'])).toMatchObject({ kind: 'committed' })
      await untilStable(log, topic)
      const expected = decision === 'commit' ? ['first', 'second'] : ['second']
      expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(expected)
    },
  )

  it.each([
    ['Produce', apiKeys.produce],
    ['TxnOffsetCommit', apiKeys.txnOffsetCommit],
  ])('of %s: it is sent again, and counts once', async (_, apiKey) => {
    const { shared, log, topic, group, id } = await setUp()
    const proxy = await proxied(shared)
    const transactor = await (await connect(proxy.brokers)).transactor(id)
    const rule = proxy.rule({ direction: 'response', apiKey, nth: 1 }, 'cut')
    expect(await run(transactor, topic, group, 1, ['once'])).toMatchObject({ kind: 'committed' })
    expect(rule.hits).toBe(1)
    await untilStable(log, topic)
    expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['once'])
  })

  it('of EndTxn, for longer than anybody waits: unknown, and the successor sees what was decided', async () => {
    const { shared, log, topic, group, id } = await setUp()
    const proxy = await proxied(shared)
    const patient = await connect(`${proxy.brokers}?requestTimeoutMs=1500`)
    const transactor = await patient.transactor(id, { transactionTimeoutMs: 5000 })
    await transactor.prepare(request(topic, group, 1, ['decided']))
    const rule = proxy.rule({ direction: 'response', apiKey: apiKeys.endTxn }, 'drop')
    expect(await transactor.commit()).toMatchObject({ kind: 'unknown' })
    expect(rule.hits).toBeGreaterThan(1)
    rule.release()
    expect(await transactor.prepare(request(topic, group, 2, ['never']))).toMatchObject({ kind: 'unknown' })
    const successor = await patient.transactor(id)
    await untilStable(log, topic)
    expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['decided'])
    expect(await run(successor, topic, group, 2, ['next'])).toMatchObject({ kind: 'committed' })
  })

  it('of EndTxn whose id was taken over meanwhile: unknown, since it may have been committed', async () => {
    const { shared, log, topic, group, id } = await setUp()
    const proxy = await proxied(shared)
    const transactor = await (await connect(proxy.brokers)).transactor(id)
    await transactor.prepare(request(topic, group, 1, ['committed']))
    const rule = proxy.rule({ direction: 'response', apiKey: apiKeys.endTxn, nth: 1 }, 'hold')
    const committing = transactor.commit()
    await rule.hit
    await log.transactor(id)
    proxy.cut()
    expect(await committing).toMatchObject({ kind: 'unknown' })
    await untilStable(log, topic)
    expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['committed'])
  })
})

it('goes on after an abort, and readers never see what was aborted', async () => {
  const { log, topic, group, id } = await setUp(2)
  const transactor = await log.transactor(id)
  for (let round = 0; round < 20; round++) {
    expect(await transactor.prepare(request(topic, group, round, [`${round}`, `${round}`]))).toBeUndefined()
    if (round % 3 === 0) await transactor.abort()
    else expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
  }
  await untilStable(log, topic, 2)
  const values = await readValues(log, topic, 2)
  const expected = Array.from({ length: 20 }, (_, round) => round).filter((round) => round % 3 !== 0)
  for (const partition of [0, 1]) {
    const here = values.filter((one) => one.partition === partition).map(({ value }) => Number(value))
    expect(here).toEqual(expected)
  }
})

it('aborts what could not be aborted in time once it can, before the next transaction', async () => {
  const { shared, log, topic, group, id } = await setUp()
  const proxy = await proxied(shared)
  const client = await connect(`${proxy.brokers}?requestTimeoutMs=1500`)
  const transactor = await client.transactor(id, { transactionTimeoutMs: 10_000 })
  await transactor.prepare(request(topic, group, 1, ['aborted']))
  const rule = proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, 'cut')
  const aborting = transactor.abort()
  await rule.hit
  rule.release()
  await aborting
  expect(await run(transactor, topic, group, 2, ['kept'])).toMatchObject({ kind: 'committed' })
  await untilStable(log, topic)
  expect((await readValues(log, topic)).map(({ value }) => value)).toEqual(['kept'])
})
