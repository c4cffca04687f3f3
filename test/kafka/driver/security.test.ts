/** A broker that asks who is there. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startKafka, startKafkaProxy } from '../../servers/kafka/index.ts'
import { connect, makeTopic, readValues } from './kafka-logs.ts'

const users = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="s3:cret";'
let cluster: Awaited<ReturnType<typeof startKafka>>
let proxy: Awaited<ReturnType<typeof startKafkaProxy>>

beforeAll(async () => {
  cluster = await startKafka({
    properties: {
      'listener.security.protocol.map': 'CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED0:SASL_PLAINTEXT',
      'listener.name.proxied0.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.proxied0.plain.sasl.jaas.config': users,
    },
  })
  proxy = await startKafkaProxy(cluster)
})
afterAll(async () => {
  await proxy.close()
  await cluster.stop()
})

it('lets a user in by password', async () => {
  const log = await connect(`alice:s3%3Acret@${proxy.brokers}?sasl=plain`)
  const topic = await makeTopic(log, 'topic')
  await log.appender().append({ topic, key: null, value: 'mine' })
  expect(await readValues(log, topic)).toMatchObject([{ value: 'mine' }])
})

it('says at once when the password is wrong', async () => {
  const refused = connect(`alice:guess@${proxy.brokers}?sasl=plain`, { openTimeoutMs: 60_000 })
  await expect(refused).rejects.toMatchObject({ code: 'LOG_UNAUTHORIZED' })
  await expect(refused).rejects.not.toThrow(/guess/)
})

it('gives up on a broker that expects a user when there is none', async () => {
  await expect(connect(proxy.brokers, { openTimeoutMs: 300 })).rejects.toMatchObject({
    code: 'LOG_UNAVAILABLE',
  })
})
