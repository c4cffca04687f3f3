/** Parts in processes of their own, several of a kind at once, on one Kafka, one PostgreSQL and one Redis. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SeededRandom, systemClock } from '#core'
import { HttpClient } from '../../cli/demo/http-client.ts'
import { startProgram } from '../../cli/demo/program.ts'
import type { Program } from '../../cli/demo/program.ts'
import type { ProcessKind } from '../../cli/process-kinds.ts'
import { openCoupon } from '../system/commands.ts'
import { linesSaid } from '../system/lines-said.ts'
import { Load } from '../system/load.ts'
import { decided, endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'
import { verify } from '../system/verify.ts'

let system: System
let directory: string
const others: Program[] = []

beforeEach(async () => {
  system = await System.create({ log: 'kafka', apart: true })
  directory = await mkdtemp(join(tmpdir(), 'millrace-processes-'))
})
afterEach(async () => {
  await Promise.all(others.splice(0).map((program) => program.kill()))
  await system.destroy()
  await rm(directory, { recursive: true, force: true })
})

interface Other extends Program {
  readonly stderr: () => string
}

/** One more process of the system, with directories of its own. */
async function another(kind: ProcessKind, environment: Record<string, string> = {}): Promise<Other> {
  let stderr = ''
  const program = await startProgram(join(directory, `${kind}-${others.length}`), systemClock, {
    kind,
    environment: { ...system.environment, ...environment },
    onStderr: (text) => (stderr += text),
  })
  others.push(program)
  return { ...program, stderr: () => stderr }
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text()
}

describe('settings that differ from topics that exist', () => {
  it.each([
    ['PARTITIONS', { PARTITIONS: '8' }, 'has partitions 4 instead of 8'],
    ['REPLICATION_FACTOR', { REPLICATION_FACTOR: '2' }, 'has replicationFactor 1 instead of 2'],
  ] as const)('are one line that names %s', async (variable, wrong, difference) => {
    await system.start({}, ['gateway'])
    await system.stop()
    for (const kind of ['gateway', 'processor', 'sink'] as const) {
      let stderr = ''
      const starting = startProgram(join(directory, kind), systemClock, {
        kind,
        environment: { ...system.environment, ...wrong },
        onStderr: (text) => (stderr += text),
      })
      await expect(starting).rejects.toThrow(/ended before it listened/)
      const said = linesSaid(stderr)
      const wanted = new RegExp(`^millrace: ${variable}=.*${difference}.*\\[LOG_TOPIC_MISMATCH\\]$`)
      expect(said).toEqual([expect.stringMatching(wanted)])
    }
  })
})

describe('several gateways and sinks', () => {
  it('sell one stock once, to whomever asked first wherever, and copy each result once', async () => {
    await system.start()
    const [gateway, sink] = await Promise.all([another('gateway'), another('sink')])
    await openCoupon(system, 'one', { stock: 100 })
    const second = new HttpClient(gateway.url, 256)
    const clients = [system.http, second]
    const path = '/api/v1/coupons/one/claims'
    const answers = await Promise.all(
      Array.from({ length: 600 }, (_, at) =>
        (clients[at % 2] as HttpClient).send(
          'POST',
          path,
          { userId: `user-${at}` },
          // A gateway that cannot know of the other's request with this key gives the same outcome.
          { prefer: 'wait=20', 'idempotency-key': `key-${at}` },
        ),
      ),
    )
    const claims = answers.map(({ body }) => body as { claimId?: string; status: string })
    const issued = answers
      .filter(({ status }) => status === 201)
      .map(({ body }) => body as { claimId: string })
    expect(issued).toHaveLength(100)
    const [first] = issued as [{ claimId: string }]
    for (const client of clients) {
      const { body } = await client.send('GET', `/api/v1/claims/${first.claimId}`)
      expect(body).toMatchObject({ status: 'issued' })
    }
    const asked = claims.flatMap(({ claimId }) => (claimId === undefined ? [] : [claimId]))
    await loaded(system, endsOf(asked))
    second.close()

    for (const [url, names] of [
      [gateway.url, ['millrace_gateway_appends_total', 'millrace_kafka_requests_total{api="Produce"}']],
      [sink.url, ['sink_store_up{store="sql"} 1', 'millrace_kafka_requests_total{api="Fetch"}']],
    ] as const) {
      const text = await textOf(`${url}/metrics`)
      for (const name of names) expect(text).toContain(`\n${name}`)
    }
    expect(JSON.parse(await textOf(`${sink.url}/readyz`))).toEqual({
      ready: true,
      checks: { sql: true, redis: true },
    })
    expect(await Promise.all([gateway.stop(), sink.stop(), system.stop()])).toEqual([0, 0, 0])
    const { violations } = await verify(
      system,
      asked.map((claimId) => ({ claimId })),
    )
    expect(violations).toEqual([])
  })
})

describe('a second processor', () => {
  async function loadAround(change: () => Promise<void>): Promise<Load> {
    const coupons = ['first', 'second', 'third', 'fourth', 'fifth']
    for (const coupon of coupons) await openCoupon(system, coupon, { stock: 1e6, perUserLimit: 1000 })
    const load = new Load({ system, random: new SeededRandom(7), coupons, users: 5000, clients: 32 })
    load.start()
    await systemClock.sleep(500)
    await change()
    await systemClock.sleep(500)
    await load.stop()
    await load.finish()
    const claimIds = load.acknowledged.map(({ claimId }) => claimId)
    await decided(system, claimIds.slice(-20))
    await loaded(system, endsOf(claimIds))
    return load
  }

  it('on a copy of the state directory takes the work over; the first stops and has written nothing after', async () => {
    const first = await another('processor')
    await system.start({}, ['gateway', 'sink'])
    let second: Other | undefined
    const load = await loadAround(async () => {
      const copy = join(directory, 'copied-state')
      await cp(join(directory, 'processor-0', 'state'), copy, { recursive: true })
      second = await another('processor', { STATE_DIR: copy })
      expect(await first.ended).toBe(1)
    })
    expect(first.stderr()).toMatch(/^millrace: .*\[PROCESSOR_FENCED\]$/m)
    expect(await second?.stop()).toBe(0)
    await system.stop()
    const { violations } = await verify(system, load.acknowledged, join(directory, 'copied-state'))
    expect(violations).toEqual([])
  })

  it('on a directory of its own shares the work, and has all of it when the first is killed', async () => {
    await system.start()
    const load = await loadAround(async () => {
      const second = await another('processor')
      await systemClock.sleep(500)
      await system.killOnly('processor')
      expect(await textOf(`${second.url}/livez`)).toBe('{"live":true}')
      expect(JSON.parse(await textOf(`${second.url}/readyz`))).toMatchObject({ checks: { log: true } })
      const text = await textOf(`${second.url}/metrics`)
      for (const name of [
        '# TYPE streams_records_processed_total',
        'millrace_kafka_requests_total{api="JoinGroup"}',
      ])
        expect(text).toContain(`\n${name}`)
    })
    const second = others.at(-1)
    expect(await second?.stop()).toBe(0)
    await system.stop()
    const { violations } = await verify(system, load.acknowledged, join(directory, 'processor-0', 'state'))
    expect(violations).toEqual([])
  })
})
