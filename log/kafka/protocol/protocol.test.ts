/** Requests and answers against bytes written by hand after Kafka's message definitions. */
import { describe, expect, it } from 'vitest'
import { apiVersions } from './api-versions.ts'
import { endTxn } from './end-txn.ts'
import { fetch } from './fetch.ts'
import { findCoordinator } from './find-coordinator.ts'
import { offsetFetch, txnOffsetCommit } from './group-offsets.ts'
import { initProducerId } from './init-producer-id.ts'
import { listOffsets } from './list-offsets.ts'
import { metadata } from './metadata.ts'
import { produce } from './produce.ts'
import { createTopics } from './topics.ts'
import { AnswerReader, RequestWriter, throttleMsOf } from './wire.ts'
import type { Api } from './wire.ts'

function encoded<Request>(api: Api<Request, unknown>, request: Request): string {
  const out = new RequestWriter(4)
  api.encode(out, request)
  return Buffer.concat(out.chunks()).toString('hex')
}

/** Reads the whole answer: a byte left over means that a field was missed. */
function decoded<Answer>(api: Api<never, Answer>, hex: string): Answer {
  const from = new AnswerReader(bytes(hex))
  const answer = api.decode(from)
  expect(from.remaining).toBe(0)
  return answer
}

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')
const plain = (hex: string): string => hex.replaceAll(/\s/g, '')

describe('requests', () => {
  it('InitProducerId version 5', () => {
    const producer = { id: -1, epoch: -1 }
    expect(encoded(initProducerId, { transactionalId: 'tx', timeoutMs: 10_000, producer })).toBe(
      plain('03 7478 00002710 ffffffffffffffff ffff 00'),
    )
    expect(
      encoded(initProducerId, { transactionalId: null, timeoutMs: 1, producer: { id: 2 ** 33, epoch: 3 } }),
    ).toBe(plain('00 00000001 0000000200000000 0003 00'))
  })

  it('Produce version 12, one entry a topic, batches as they are', () => {
    const batches = [
      { topic: 'a', partition: 1, bytes: Buffer.from('aabb', 'hex') },
      { topic: 'b', partition: 0, bytes: Buffer.from('cc', 'hex') },
      { topic: 'a', partition: 2, bytes: Buffer.alloc(0) },
    ]
    expect(encoded(produce, { transactionalId: null, timeoutMs: 5000, batches })).toBe(
      plain(`00 ffff 00001388 03
        02 61 03  00000001 03 aabb 00  00000002 01 00  00
        02 62 02  00000000 02 cc 00  00
        00`),
    )
  })

  it('TxnOffsetCommit version 5', () => {
    expect(
      encoded(txnOffsetCommit, {
        transactionalId: 'tx',
        producer: { id: 5, epoch: 6 },
        group: { group: 'g', generation: -1, memberId: '' },
        offsets: [{ topic: 't', partition: 3, offset: 2 ** 40, metadata: 'm' }],
      }),
    ).toBe(
      plain(`03 7478 02 67 0000000000000005 0006 ffffffff 01 00
        02 02 74 02  00000003 0000010000000000 ffffffff 02 6d 00  00 00`),
    )
  })

  it('EndTxn version 5', () => {
    expect(encoded(endTxn, { transactionalId: 'tx', producer: { id: 5, epoch: 6 }, commit: true })).toBe(
      plain('03 7478 0000000000000005 0006 01 00'),
    )
  })

  it('Fetch version 12, partitions in the order asked for', () => {
    const positions = [
      { topic: 'a', partition: 1, offset: 7 },
      { topic: 'b', partition: 0, offset: 8 },
      { topic: 'a', partition: 0, offset: 9 },
    ]
    const entry = (partition: string, offset: string): string =>
      `${partition} ffffffff ${offset} ffffffff ffffffffffffffff 00000040 00`
    expect(encoded(fetch, { waitMs: 500, bytesMax: 256, partitionBytesMax: 64, positions })).toBe(
      plain(`ffffffff 000001f4 00000001 00000100 01 00000000 ffffffff 04
        02 61 02 ${entry('00000001', '0000000000000007')} 00
        02 62 02 ${entry('00000000', '0000000000000008')} 00
        02 61 02 ${entry('00000000', '0000000000000009')} 00
        01 01 00`),
    )
  })

  it('ListOffsets version 7', () => {
    const partitions = [{ topic: 't', partition: 0 }]
    const one = (timestamp: string): string => `02 02 74 02 00000000 ffffffff ${timestamp} 00 00 00`
    expect(encoded(listOffsets, { end: 'start', partitions })).toBe(
      plain(`ffffffff 00 ${one('fffffffffffffffe')}`),
    )
    expect(encoded(listOffsets, { end: 'lastStableOffset', partitions })).toBe(
      plain(`ffffffff 01 ${one('ffffffffffffffff')}`),
    )
  })

  it('OffsetFetch version 9', () => {
    const partitions = [{ topic: 't', partition: 2 }]
    expect(encoded(offsetFetch, { group: 'g', partitions, requireStable: true })).toBe(
      plain('02 02 67 00 ffffffff 02 02 74 02 00000002 00 00 01 00'),
    )
  })

  it('Metadata version 12, FindCoordinator version 4, CreateTopics version 7', () => {
    expect(encoded(metadata, { topics: ['t'] })).toBe(plain(`02 ${'00'.repeat(16)} 02 74 00 00 00 00`))
    expect(encoded(findCoordinator, { type: 'transaction', key: 'tx' })).toBe(plain('01 02 03 7478 00'))
    const topics = [{ name: 't', partitions: 2, replicationFactor: 3, configs: new Map([['k', 'v']]) }]
    expect(encoded(createTopics, { topics, timeoutMs: 1 })).toBe(
      plain('02 02 74 00000002 0003 01 02 02 6b 02 76 00 00 00000001 00 00'),
    )
  })
})

describe('answers', () => {
  it('ApiVersions version 3, with the features that are on', () => {
    expect(
      decoded(
        apiVersions,
        `0000 02 0001 0004 0011 00 00000000
         02  01 08 0000000000000007  02 0a 02 04 747876 0002 0000 00`,
      ),
    ).toEqual({
      code: 0,
      versions: new Map([[1, { min: 4, max: 17 }]]),
      features: new Map([['txv', 2]]),
    })
  })

  it('InitProducerId and EndTxn', () => {
    const answer = { code: 0, producer: { id: 2 ** 32 + 1, epoch: 9 } }
    expect(decoded(initProducerId, '00000000 0000 0000000100000001 0009 00')).toEqual(answer)
    expect(decoded(endTxn, '00000000 0033 ffffffffffffffff ffff 00')).toEqual({
      code: 51,
      producer: { id: -1, epoch: -1 },
    })
  })

  it('Produce, with a leader in tagged fields', () => {
    expect(
      decoded(
        produce,
        `02 02 74 03
           00000001 0000 0000000000000010 ffffffffffffffff 0000000000000000 01 00 00
           00000002 0006 ffffffffffffffff ffffffffffffffff ffffffffffffffff
             02 00000000 02 65 00  04 6d7367  01 00 05 0000000000
         00 00000000 00`,
      ),
    ).toEqual([
      { topic: 't', partition: 1, code: 0, baseOffset: 16, message: null },
      { topic: 't', partition: 2, code: 6, baseOffset: -1, message: 'msg' },
    ])
  })

  it('Fetch, with aborted transactions and a view of the records', () => {
    const answer = decoded(
      fetch,
      `00000000 0000 00000000 02 02 74 03
         00000000 0000 0000000000000005 0000000000000004 0000000000000000
           02 0000000000000007 0000000000000003 00  ffffffff 04 aabbcc 00
         00000001 0001 ffffffffffffffff ffffffffffffffff ffffffffffffffff 00 ffffffff 00 00
       00 00`,
    )
    expect(answer.partitions).toEqual([
      {
        topic: 't',
        partition: 0,
        code: 0,
        highWatermark: 5,
        lastStableOffset: 4,
        aborted: [{ producerId: 7, firstOffset: 3 }],
        records: Buffer.from('aabbcc', 'hex'),
      },
      {
        topic: 't',
        partition: 1,
        code: 1,
        highWatermark: -1,
        lastStableOffset: -1,
        aborted: [],
        records: Buffer.alloc(0),
      },
    ])
  })

  it('Metadata', () => {
    const id = '000102030405060708090a0b0c0d0e0f'
    expect(
      decoded(
        metadata,
        `00000000 02 00000001 05 686f7374 00002384 00 00  03 6964 00000001
         02 0000 02 74 ${id} 00 02  0000 00000000 00000001 00000003 02 00000001 02 00000001 01 00  80000000 00
         00`,
      ),
    ).toEqual({
      brokers: [{ node: 1, host: 'host', port: 9092 }],
      clusterId: 'id',
      topics: [
        {
          code: 0,
          name: 't',
          topicId: Buffer.from(id, 'hex').toString('base64url'),
          partitions: [{ code: 0, partition: 0, leader: 1, leaderEpoch: 3, replicas: [1] }],
        },
      ],
    })
  })

  it('OffsetFetch, also where nothing was committed', () => {
    expect(
      decoded(
        offsetFetch,
        `00000000 02 02 67 02 02 74 03
           00000000 0000000000000007 ffffffff 02 6d 0000 00
           00000001 ffffffffffffffff ffffffff 01 0058 00
         00 0000 00 00`,
      ),
    ).toEqual({
      code: 0,
      offsets: [
        { topic: 't', partition: 0, offset: 7, metadata: 'm', code: 0 },
        { topic: 't', partition: 1, offset: -1, metadata: '', code: 88 },
      ],
    })
  })

  it('fails over one that is cut off', () => {
    expect(() => initProducerId.decode(new AnswerReader(bytes('00000000 0000 00000001')))).toThrow(RangeError)
  })
})

it('finds how long a broker held back, wherever an answer says it', () => {
  expect(throttleMsOf(endTxn, bytes('000001f4 0000 0000000100000001 0009 00'))).toBe(500)
  expect(throttleMsOf(produce, bytes('01 00000bb8 00'))).toBe(3000)
  expect(throttleMsOf(apiVersions, bytes('0000 01 0001 0004 0011 00 00000000'))).toBe(0)
  expect(throttleMsOf(produce, bytes('01'))).toBe(0)
})
