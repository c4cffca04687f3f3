/**
 * kill -9 of the processor while everybody goes on asking. Every second kill is held inside an open transaction; the
 * others come at random moments. The log tells how many transactions they ended.
 */
import { rm } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { apiKeys, kafka, startKafkaProxy } from '../../servers/kafka/index.ts'
import { faultMs, killCount, seed } from './long-form.ts'
import { Sale, tell } from './sale.ts'

type Proxy = Awaited<ReturnType<typeof startKafkaProxy>>

let proxy: Proxy
let sale: Sale
beforeEach(async () => {
  const shared = kafka()
  proxy = await startKafkaProxy(shared)
  sale = await Sale.open({ brokers: shared.brokers, processorBrokers: proxy.brokers })
})
afterEach(async () => {
  await sale.destroy()
  await proxy.close()
})

it(
  `${killCount} kills of the processor lose nothing and double nothing (SEED=${seed})`,
  { timeout: 300_000 + killCount * 30_000 },
  async () => {
    let held = 0
    for (let kill = 0; kill < killCount; kill++) {
      await sale.pause(sale.random.integer(100, 1500))
      const isHeld = kill % 2 === 1
      const end = isHeld ? proxy.rule({ direction: 'request', apiKey: apiKeys.endTxn }, 'hold') : undefined
      await end?.hit
      await sale.killProcessor()
      end?.release()
      if (isHeld) held++
      await sale.startProcessor()
    }
    await sale.pause(500)
    const report = await sale.settle()
    expect(report.aborted.transactions).toBeGreaterThanOrEqual(held)
    expect(report.aborted.records).toBeGreaterThanOrEqual(held)
    tell(`${killCount} kills, ${held} of them with EndTxn held`, report)
  },
)

it(`state directories that are wiped are restored whole (SEED=${seed})`, { timeout: 400_000 }, async () => {
  for (let wipe = 0; wipe < 2; wipe++) {
    await sale.pause(sale.random.integer(500, 500 + faultMs / 2))
    await sale.killProcessor()
    await rm(sale.system.stateDir, { recursive: true })
    sale.stateWiped()
    await sale.startProcessor()
  }
  await sale.pause(500)
  tell('2 kills with a wiped state directory', await sale.settle())
})
