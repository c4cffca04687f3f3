import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import type { Log } from '../index.ts'
import { appendValues, readAll, valuesOf } from '../conformance/harness.ts'
import { alone, committed, request } from '../conformance/transactions.ts'
import { openEmbeddedLog, serveEmbeddedBroker } from './index.ts'
import type { EmbeddedBroker } from './index.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'

async function connectTo(broker: EmbeddedBroker): Promise<{ client: Log; port: MessagePort }> {
  const { port1, port2 } = new MessageChannel()
  serveEmbeddedBroker(broker, port1)
  return { client: await openEmbeddedLog(port2, { clock: systemClock }), port: port2 }
}

describe('a client over a port', () => {
  it('has its open transaction aborted when the port closes', async () => {
    const { broker, log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const { client, port } = await connectTo(broker)
    const transactor = await client.transactor('tx')
    await transactor.prepare(request('t', alone('g'), 1, [['x']]))
    port.close()
    expect(await committed(log, 'g', 't')).toBeUndefined()
    expect(await readAll(log, 't')).toEqual([])
    expect(await transactor.commit()).toMatchObject({ kind: 'unknown' })
    await client.close()
  })

  it('does not know what became of an append when the port closes under it', async () => {
    const { broker, log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const { client, port } = await connectTo(broker)
    const appender = client.appender()
    await appender.append({ topic: 't', key: null, value: 'a' })
    const append = appender.append({ topic: 't', key: null, value: 'b' }).catch((error: unknown) => error)
    await new Promise((resolve) => setImmediate(resolve))
    port.close()
    expect(await append).toMatchObject({ code: 'LOG_APPEND_UNKNOWN', retrySafe: false })
    await expect(client.admin.describeTopics(['t'])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await client.close()
  })

  it('is told when the broker closed', async () => {
    const dir = await testDirectory()
    const { broker, log } = await openTestLog(dir)
    await createTopic(log, 't')
    const { client } = await connectTo(broker)
    const reader = client.reader()
    reader.seek({ topic: 't', partition: 0 }, 0)
    const polling = reader.poll(60_000).catch((error: unknown) => error)
    await appendValues(log, 't', ['a'])
    await polling
    const next = reader.poll(60_000).catch((error: unknown) => error)
    await broker.close()
    expect(await next).toMatchObject({ code: 'LOG_CLOSED' })
    await expect(appendValues(client, 't', ['b'])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    await client.close()
    const again = await openTestLog(dir)
    expect(valuesOf(await readAll(again.log, 't'))).toEqual(['a'])
  })
})
