/** What operators are told of requests that were lost. What was answered, and held back by quotas: security.test.ts. */
import { expect, it } from 'vitest'
import { apiKeys, kafka } from '../../servers/kafka/index.ts'
import { connect, makeTopic, proxied, request } from './kafka-logs.ts'
import { seenMetrics } from './seen-metrics.ts'

it('counts what got no answer and what had to be tried again', async () => {
  const shared = kafka()
  const proxy = await proxied(shared)
  const { metrics, seen } = seenMetrics()
  const log = await connect(`${proxy.brokers}?requestTimeoutMs=1000`, { metrics })
  const topic = await makeTopic(log, `${shared.prefix}topic`)
  const appender = log.appender()
  const transactor = await log.transactor(`${shared.prefix}tx`)
  await appender.append({ topic, key: null, value: 'before' })
  await transactor.prepare(request(topic, `${shared.prefix}group`, 1, ['x']))

  const counts = async (api: string): Promise<readonly [number, number]> => [
    // A machine that stands still for a second may lose more.
    (await seen(`millrace_kafka_requests_unanswered_total{api="${api}"}`)) || 0,
    await seen('millrace_kafka_retries_total'),
  ]
  const expectLost = async (api: string, apiKey: number, work: () => Promise<unknown>): Promise<void> => {
    const [unanswered, retries] = await counts(api)
    const loss = proxy.rule({ direction: 'response', apiKey, nth: 1 }, 'drop')
    await work()
    loss.release()
    const after = await counts(api)
    expect(after[0]).toBeGreaterThan(unanswered)
    expect(after[1]).toBeGreaterThan(retries)
  }
  await expectLost('Produce', apiKeys.produce, () => appender.append({ topic, key: null, value: 'again' }))
  await expectLost('EndTxn', apiKeys.endTxn, () => transactor.commit())
})
