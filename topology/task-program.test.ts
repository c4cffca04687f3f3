import { describe, expect, it } from 'vitest'
import { noHeaders } from '#core'
import type { RecordHeaders } from '#core'
import {
  TaskProgram,
  TopologyBuilder,
  encode,
  int64,
  keyValueStore,
  nullable,
  output,
  utf8,
} from './index.ts'
import type { EncodedRecord, Processor, ProcessorContext, StreamRecord, TaskHost, Topology } from './index.ts'

interface Sent {
  readonly sink: string
  readonly key: unknown
  readonly value: unknown
  readonly timestamp: number
  readonly headers: RecordHeaders
}

class RecordingHost implements TaskHost {
  readonly taskId = '0_3'
  readonly sent: Sent[] = []
  readonly asked: string[] = []
  refuse: unknown
  wall = 0

  store({ name }: { readonly name: string }): unknown {
    this.asked.push(name)
    return { name }
  }

  streamTime(): number {
    return 99
  }

  wallClock(): number {
    return this.wall
  }

  send(
    sink: { readonly name: string },
    key: unknown,
    value: unknown,
    timestamp: number,
    headers: RecordHeaders,
  ): void {
    if (this.refuse !== undefined) throw this.refuse
    this.sent.push({ sink: sink.name, key, value, timestamp, headers })
  }
}

class Encoded implements EncodedRecord {
  readonly buffer: Buffer
  readonly offset = 17
  readonly timestamp = 1000
  readonly keyStart = 0
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
  readonly hasHeaders: boolean
  headersDecoded = 0
  readonly #headers: RecordHeaders

  constructor(key: string | null, value: string | null, headers: RecordHeaders = noHeaders) {
    const [keyBytes, valueBytes] = [encode(utf8, key ?? ''), encode(utf8, value ?? '')]
    this.buffer = Buffer.concat([keyBytes, valueBytes])
    this.keyEnd = key === null ? -1 : keyBytes.length
    this.valueStart = keyBytes.length
    this.valueEnd = value === null ? this.valueStart - 1 : this.buffer.length
    this.hasHeaders = headers.length > 0
    this.#headers = headers
  }

  headers(): RecordHeaders {
    this.headersDecoded++
    return this.#headers
  }
}

type Text = StreamRecord<string, string>
type TextContext = ProcessorContext<Record<string, never>, { out: ReturnType<typeof output<string, string>> }>

/** source → first → second → sink, with the two processors given. */
function chain(
  first: (context: TextContext) => Processor<string, string>,
  second: (context: TextContext) => Processor<string, string> = forward,
): Topology {
  const builder = new TopologyBuilder()
  const from = builder.source({ name: 'source', topics: ['in', 'in2'], key: utf8, value: utf8 })
  const outputs = { out: output<string, string>() }
  const one = builder.processor({ name: 'first', from, outputs, init: first })
  const two = builder.processor({ name: 'second', from: one.out, outputs, init: second })
  builder.sink({ name: 'sink', from: two.out, topic: 'out', key: utf8, value: utf8 })
  return builder.build()
}

function forward({ emit }: TextContext): Processor<string, string> {
  return { process: ({ key, value }) => emit.out(key, value) }
}

function programOf(topology: Topology): { host: RecordingHost; program: TaskProgram } {
  const host = new RecordingHost()
  return { host, program: new TaskProgram(topology, 0, 3, host) }
}

describe('a task program', () => {
  it('hands on records with the facts of the input', () => {
    const seen: unknown[] = []
    const topology = chain(({ emit }) => ({
      process(record) {
        const { key, value, topic, partition, offset, timestamp } = record
        seen.push({ key, value, topic, partition, offset, timestamp })
        emit.out(key, `${value}1`)
      },
    }))
    const { host, program } = programOf(topology)
    program.process('in', 3, new Encoded('k', 'a'))
    program.process('in2', 3, new Encoded('k', 'b'))
    expect(seen).toEqual([
      { key: 'k', value: 'a', topic: 'in', partition: 3, offset: 17, timestamp: 1000 },
      { key: 'k', value: 'b', topic: 'in2', partition: 3, offset: 17, timestamp: 1000 },
    ])
    expect(host.sent.map(({ value }) => value)).toEqual(['a1', 'b1'])
  })

  it('runs depth first, in the order of attachment', () => {
    const order: string[] = []
    const builder = new TopologyBuilder()
    const from = builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 })
    const note = (name: string): Processor<string, string> => ({
      process: ({ value }) => void order.push(`${name} ${value}`),
    })
    const { out } = builder.processor({
      name: 'p',
      from,
      outputs: { out: output<string, string>() },
      init: ({ emit }) => ({
        process(record) {
          emit.out(record.key, '1')
          order.push('between')
          emit.out(record.key, '2')
          order.push(`still ${record.value}`)
        },
      }),
    })
    builder.processor({ name: 'b', from: out, init: () => note('b') })
    builder.processor({ name: 'a', from: out, init: () => note('a') })
    builder.processor({ name: 'last', from, init: () => note('last') })
    programOf(builder.build()).program.process('in', 3, new Encoded('k', 'v'))
    expect(order).toEqual(['b 1', 'a 1', 'between', 'b 2', 'a 2', 'still v', 'last v'])
  })

  it('gives outputs the timestamp and headers of the record, unless told otherwise', () => {
    const own = [{ key: 'own', value: 'h' }]
    const topology = chain(({ emit }) => ({
      process({ key, value }) {
        emit.out(key, value)
        emit.out(key, value, { timestamp: 5, headers: own })
      },
    }))
    const { host, program } = programOf(topology)
    const headers = [{ key: 'trace', value: 't' }]
    program.process('in', 3, new Encoded('k', 'v', headers))
    // The second processor only forwards: the options travel with the record.
    expect(host.sent).toEqual([
      { sink: 'sink', key: 'k', value: 'v', timestamp: 1000, headers },
      { sink: 'sink', key: 'k', value: 'v', timestamp: 5, headers: own },
    ])
  })

  it('decodes headers at most once, and only when somebody asks', () => {
    const { program } = programOf(chain(() => ({ process: () => {} })))
    const unasked = new Encoded('k', 'v', [{ key: 'h', value: null }])
    program.process('in', 3, unasked)
    expect(unasked.headersDecoded).toBe(0)

    const seen: RecordHeaders[] = []
    const asking = chain(({ emit }) => ({
      process(record) {
        seen.push(record.headers, record.headers)
        emit.out(record.key, record.value)
      },
    }))
    const { program: second } = programOf(asking)
    const asked = new Encoded('k', 'v', [{ key: 'h', value: null }])
    second.process('in', 3, asked)
    const bare = new Encoded('k', 'v')
    second.process('in', 3, bare)
    expect([asked.headersDecoded, bare.headersDecoded]).toEqual([1, 0])
    expect(seen.map((headers) => headers.length)).toEqual([1, 1, 0, 0])
  })

  it('asks the host once for each store and initialises processors in order', () => {
    const shared = keyValueStore({ name: 'shared', key: utf8, value: int64 })
    const inits: string[] = []
    const builder = new TopologyBuilder()
    const from = builder.source({ name: 'source', topics: ['in'], key: utf8, value: utf8 })
    const stores: unknown[] = []
    for (const name of ['one', 'two']) {
      builder.processor({
        name,
        from,
        stores: { [name]: shared },
        init(context) {
          inits.push(`${name} ${context.taskId} ${context.streamTime()}`)
          stores.push(context.stores[name])
          return { process: () => {} }
        },
      })
    }
    const { host } = programOf(builder.build())
    expect(host.asked).toEqual(['shared'])
    expect(inits).toEqual(['one 0_3 99', 'two 0_3 99'])
    expect(stores[0]).toBe(stores[1])
    expect(stores[0]).toEqual({ name: 'shared' })
  })

  it('reads a topic of two sources once for each', () => {
    const builder = new TopologyBuilder()
    const seen: string[] = []
    for (const name of ['a', 'b']) {
      const from = builder.source({ name, topics: ['in'], key: utf8, value: utf8 })
      builder.processor({ name: `p-${name}`, from, init: () => ({ process: () => void seen.push(name) }) })
    }
    programOf(builder.build()).program.process('in', 3, new Encoded('k', 'v'))
    expect(seen).toEqual(['a', 'b'])
  })

  it('passes null to a nullable serde', () => {
    const builder = new TopologyBuilder()
    const from = builder.source({ name: 's', topics: ['in'], key: nullable(utf8), value: nullable(utf8) })
    const seen: unknown[] = []
    builder.processor({
      name: 'p',
      from,
      init: () => ({ process: ({ key, value }) => void seen.push(key, value) }),
    })
    const { program } = programOf(builder.build())
    program.process('in', 3, new Encoded(null, null))
    program.process('in', 3, new Encoded('', ''))
    expect(seen).toEqual([null, null, '', ''])
  })

  it('refuses subtopologies and topics that it does not have', () => {
    const topology = chain(forward)
    expect(() => new TaskProgram(topology, 7, 0, new RecordingHost())).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_UNKNOWN_SUBTOPOLOGY' }),
    )
    expect(() => programOf(topology).program.process('other', 0, new Encoded('k', 'v'))).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_UNKNOWN_TOPIC' }),
    )
  })

  it('refuses to emit without a record', () => {
    const contexts: TextContext[] = []
    const topology = chain((context) => {
      contexts.push(context)
      return forward(context)
    })
    const { program, host } = programOf(topology)
    const late = (): void => contexts[0]?.emit.out('k', 'late')
    expect(late).toThrow(expect.objectContaining({ code: 'TOPOLOGY_EMIT_OUTSIDE_PROCESS' }))
    program.process('in', 3, new Encoded('k', 'v'))
    expect(late).toThrow(expect.objectContaining({ code: 'TOPOLOGY_EMIT_OUTSIDE_PROCESS' }))
    expect(host.sent).toHaveLength(1)
    const early = chain((context) => {
      context.emit.out('k', 'early')
      return forward(context)
    })
    expect(() => programOf(early)).toThrow(expect.objectContaining({ code: 'TOPOLOGY_EMIT_OUTSIDE_PROCESS' }))
  })
})

describe('a record that fails', () => {
  const failure = new Error('cannot')

  it.each([
    ['a null key', new Encoded(null, 'v'), 'key of in-3@17', undefined],
    ['a null value', new Encoded('k', null), 'value of in-3@17', undefined],
  ])('is undecodable with %s', (_what, record, where) => {
    const { program } = programOf(chain(forward))
    expect(() => program.process('in', 3, record)).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_UNDECODABLE', message: expect.stringContaining(where) }),
    )
    expect(program.answerPoison(failure)).toBe(false)
  })

  it('is undecodable when its serde throws, with the cause', () => {
    const builder = new TopologyBuilder()
    const from = builder.source({ name: 's', topics: ['in'], key: utf8, value: int64 })
    let answered = 0
    builder.processor({
      name: 'p',
      from,
      init: () => ({ process: () => {}, onPoison: () => void answered++ }),
    })
    const { program } = programOf(builder.build())
    expect(() => program.process('in', 3, new Encoded('k', 'short'))).toThrow(
      expect.objectContaining({
        code: 'TOPOLOGY_UNDECODABLE',
        cause: expect.any(RangeError),
        context: { topic: 'in', partition: 3, offset: 17, field: 'value' },
      }),
    )
    expect(program.answerPoison(failure)).toBe(false)
    expect(answered).toBe(0)
  })

  it('lets the error out unchanged and asks the processor that threw, with its own record', () => {
    const asked: unknown[] = []
    const topology = chain(
      ({ emit }) => ({
        process: (record) => emit.out(record.key, `${record.value} changed`, { timestamp: 7 }),
        onPoison: () => void asked.push('first'),
      }),
      ({ emit }) => ({
        process() {
          throw failure
        },
        onPoison(record: Text, error) {
          asked.push([record.value, record.timestamp, record.offset, error])
          emit.out(record.key, 'sorry')
        },
      }),
    )
    const { host, program } = programOf(topology)
    expect(() => program.process('in', 3, new Encoded('k', 'v'))).toThrow(failure)
    expect(program.answerPoison(failure)).toBe(true)
    expect(asked).toEqual([['v changed', 7, 17, failure]])
    expect(host.sent).toEqual([{ sink: 'sink', key: 'k', value: 'sorry', timestamp: 7, headers: noHeaders }])
    // An answer is asked for once.
    expect(program.answerPoison(failure)).toBe(false)
  })

  it('is answered by nobody when the processor that threw has no onPoison', () => {
    const topology = chain(forward, () => ({
      process() {
        throw failure
      },
    }))
    const { program } = programOf(topology)
    expect(() => program.process('in', 3, new Encoded('k', 'v'))).toThrow(failure)
    expect(program.answerPoison(failure)).toBe(false)
  })

  it('is that of the processor whose output the host refused', () => {
    const asked: string[] = []
    const topology = chain(forward, ({ emit }) => ({
      process: ({ key, value }) => emit.out(key, value),
      onPoison: (record) => void asked.push(record.value),
    }))
    const { host, program } = programOf(topology)
    host.refuse = failure
    expect(() => program.process('in', 3, new Encoded('k', 'v'))).toThrow(failure)
    expect(program.answerPoison(failure)).toBe(true)
    expect(asked).toEqual(['v'])
  })

  it('fails even when an earlier processor catches the error', () => {
    const topology = chain(
      ({ emit }) => ({
        process({ key, value }) {
          try {
            emit.out(key, value)
          } catch {
            emit.out(key, 'instead')
          }
        },
      }),
      ({ emit }) => ({
        process({ key, value }) {
          if (value === 'v') throw failure
          emit.out(key, value)
        },
      }),
    )
    const { program } = programOf(topology)
    expect(() => program.process('in', 3, new Encoded('k', 'v'))).toThrow(failure)
  })

  it('lets out what onPoison throws, and leaves the program fit for the next record', () => {
    const second = new Error('cannot answer')
    const topology = chain(({ emit }) => ({
      process({ key, value }) {
        if (value === 'bad') throw failure
        emit.out(key, value)
      },
      onPoison() {
        throw second
      },
    }))
    const { host, program } = programOf(topology)
    expect(() => program.process('in', 3, new Encoded('k', 'bad'))).toThrow(failure)
    expect(() => program.answerPoison(failure)).toThrow(second)
    program.process('in', 3, new Encoded('k', 'good'))
    expect(host.sent.map(({ value }) => value)).toEqual(['good'])
  })
})
