import { afterEach, beforeEach, expect, it } from 'vitest'
import { commandSerde } from '#domain/coupon'
import type { CouponCommand } from '#domain/coupon'
import { encode } from '#topology'
import { Harness } from '../../test/gateway/harness.ts'
import { CommandReader } from './command-reader.ts'

let system: Harness
let reader: CommandReader
beforeEach(async () => {
  system = await Harness.start()
  system.decider.pause()
  reader = new CommandReader(system.log, 'coupon-issue')
})
afterEach(async () => {
  await reader.close()
  await system.close()
})

function command(user: number): CouponCommand {
  return {
    command: 'issue',
    couponId: 'c',
    userId: `u${user}`,
    by: 'x'.repeat(250),
    nonce: '0123456789abcdef',
  }
}

async function append(partition: number, ...values: readonly (CouponCommand | string)[]): Promise<void> {
  const appender = system.log.appender()
  for (const value of values) {
    const bytes = typeof value === 'string' ? value : encode(commandSerde, value)
    await appender.append({ topic: 'coupon-issue', partition, key: 'c', value: bytes })
  }
  await appender.close()
}

it('reads commands from anywhere in the log, many at once', async () => {
  await append(0, ...Array.from({ length: 300 }, (_, user) => command(user)))
  await append(1, command(1000))
  const wanted = [299, 0, 150, 1, 150]
  const read = await Promise.all([...wanted.map((offset) => reader.read(0, offset)), reader.read(1, 0)])
  expect(read).toEqual([...wanted, 1000].map(command))
  await append(0, command(300))
  expect(await reader.read(0, 300)).toEqual(command(300))
})

it('knows nothing beyond the end, nor where nothing can be read', async () => {
  await append(0, 'rubbish', command(1))
  expect(await reader.read(0, 0)).toBeUndefined()
  expect(await reader.read(0, 1)).toEqual(command(1))
  expect(await reader.read(0, 2)).toBeUndefined()
  expect(await reader.read(0, 2 ** 50)).toBeUndefined()
  expect(await reader.read(1, 0)).toBeUndefined()
})

it('refuses once it is closed', async () => {
  await append(0, command(1))
  await reader.close()
  await expect(reader.read(0, 0)).rejects.toMatchObject({ code: 'overloaded' })
})
