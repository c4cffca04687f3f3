/** Faults on the wire between the processor, or everything, and its broker, under load. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { apiKeys, kafka, startKafkaProxy } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { faultMs, seed } from './long-form.ts'
import { Sale, tell } from './sale.ts'

type Proxy = Awaited<ReturnType<typeof startKafkaProxy>>

const requestTimeoutMs = 1000
const timeout = 400_000 + 2 * faultMs

let proxy: Proxy
let opened: Sale | undefined
beforeEach(async () => {
  proxy = await startKafkaProxy(kafka())
})
afterEach(async () => {
  await opened?.destroy()
  opened = undefined
  await proxy.close()
})

/** Puts the proxy before the processor, or before `all` processes. */
async function open(whom: 'processor' | 'all' = 'processor'): Promise<Sale> {
  const { brokers } = kafka()
  const processorBrokers = `${proxy.brokers}?requestTimeoutMs=${requestTimeoutMs}`
  const otherBrokers = whom === 'all' ? processorBrokers : brokers
  opened = await Sale.open({ brokers, processorBrokers, otherBrokers })
  return opened
}

const givenUp = ({ system }: Sale): number => system.stderr.split('transactional id given up').length - 1

it(`requests come after their client has given up waiting (SEED=${seed})`, { timeout }, async () => {
  const sale = await open()
  const lateMs = requestTimeoutMs + 500
  const { endTxn, produce, txnOffsetCommit } = apiKeys
  const hits: number[] = []
  for (const until = performance.now() + faultMs; hits.length < 3 || performance.now() < until;) {
    const apiKey = [endTxn, produce, txnOffsetCommit][hits.length % 3] as number
    const late = proxy.rule({ direction: 'request', apiKey, nth: 1 }, { lateMs })
    await late.hit
    // Its repetition, on another connection, comes first.
    await sale.pause(sale.random.integer(lateMs / 2, 2 * lateMs))
    late.release()
    hits.push(apiKey)
  }
  tell(`${hits.length} times EndTxn, Produce or TxnOffsetCommit late by ${lateMs} ms`, await sale.settle())
})

it(`the answer to EndTxn is lost (SEED=${seed})`, { timeout }, async () => {
  const sale = await open()
  const until = performance.now() + faultMs
  let lost = 0
  while (performance.now() < until) {
    // Once the connection ends with it, once it is only waited for in vain.
    const action = lost % 2 === 0 ? 'cut' : 'drop'
    const loss = proxy.rule({ direction: 'response', apiKey: apiKeys.endTxn, nth: 1 }, action)
    await loss.hit
    loss.release()
    lost++
    await sale.pause(sale.random.integer(50, 500))
  }
  tell(`${lost} answers to EndTxn lost`, await sale.settle())
})

it(`EndTxn is not answered until its sender gives up (SEED=${seed})`, { timeout }, async () => {
  const sale = await open()
  // First it is carried out all the same, then it never gets there: only the log can tell.
  for (const direction of ['response', 'request'] as const) {
    const before = givenUp(sale)
    const loss = proxy.rule({ direction, apiKey: apiKeys.endTxn }, 'drop')
    await eventually('the transactional id is given up', async () => givenUp(sale) > before)
    loss.release()
    await sale.pause(1000)
  }
  const report = await sale.settle()
  expect(report.aborted.transactions).toBeGreaterThan(0)
  tell('2 outcomes unknown', report)
})

it(`connections are cut every 0.5 to 1.5 s (SEED=${seed})`, { timeout }, async () => {
  const sale = await open('all')
  const cutting = proxy.cutAtRandom({ seed, fromMs: 500, toMs: 1500 })
  await sale.pause(2 * faultMs)
  cutting.stop()
  expect(cutting.cuts).toBeGreaterThan(2)
  tell(`all connections cut ${cutting.cuts} times`, await sale.settle())
})
