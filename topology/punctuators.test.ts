import { describe as group, expect, it } from 'vitest'
import {
  TopologyBuilder,
  TopologyTestDriver,
  describe,
  describeJson,
  keyValueStore,
  output,
  utf8,
} from './index.ts'
import type { Cancellable, OutputSpec, Processor, ProcessorContext, TestDriverOptions } from './index.ts'

const source = { name: 'source', topics: ['in'], key: utf8, value: utf8 } as const
const notes = keyValueStore({ name: 'notes', key: utf8, value: utf8 })

type Context = ProcessorContext<{ notes: typeof notes }, { out: OutputSpec<string, string> }>

interface Ticking {
  readonly driver: TopologyTestDriver
  readonly pipe: (value: string, timestamp: number) => void
  /** Every output so far as `value@timestamp`. */
  readonly told: () => string[]
}

function ticking(
  init: (context: Context) => Processor<string, string>,
  options: TestDriverOptions & { readonly wallClock?: boolean } = {},
): Ticking {
  const builder = new TopologyBuilder()
  const { out } = builder.processor({
    name: 'ticking',
    from: builder.source(source),
    stores: { notes },
    outputs: { out: output<string, string>() },
    wallClock: options.wallClock ?? false,
    init,
  })
  builder.sink({ name: 'sink', from: out, topic: 'out', key: utf8, value: utf8, samePartition: true })
  const driver = new TopologyTestDriver(builder.build(), options)
  const read = driver.outputTopic('out', utf8, utf8)
  const told: string[] = []
  return {
    driver,
    pipe: (value, timestamp) => void driver.inputTopic(source).pipe('k', value, { timestamp }),
    told() {
      told.push(...read.readAll().map(({ value, timestamp }) => `${value}@${timestamp}`))
      return told
    },
  }
}

/** Forwards, and says `tick` every 10 ms of stream time. */
const forwardAndTick = ({ emit, schedule }: Context): Processor<string, string> => {
  schedule({ name: 'tick', every: 10, by: 'stream-time', punctuate: () => emit.out('-', 'tick') })
  return { process: ({ key, value }) => emit.out(key, value) }
}

group('by stream time', () => {
  it('fires before the record that reaches an instant, with the instant as the timestamp', () => {
    const { pipe, told } = ticking(forwardAndTick)
    for (const at of [3, 9, 10, 15, 20]) pipe('r', at)
    expect(told()).toEqual(['r@3', 'r@9', 'tick@10', 'r@10', 'r@15', 'tick@20', 'r@20'])
  })

  it('calls once for all instants passed at once, with the last of them', () => {
    const { pipe, told } = ticking(forwardAndTick)
    for (const at of [3, 57]) pipe('r', at)
    expect(told()).toEqual(['r@3', 'tick@50', 'r@57'])
  })

  it('fires nothing for the first record, a late one, or time alone', () => {
    const { driver, pipe, told } = ticking(forwardAndTick)
    pipe('first', 1_000_005)
    driver.advanceTime(50)
    driver.advanceWallClock(50)
    pipe('late', 12)
    expect(told()).toEqual(['first@1000005', 'late@12'])
  })

  it('fires also when the record itself is poison, and keeps what it did', () => {
    const { driver, pipe, told } = ticking(({ emit, schedule, stores }) => {
      schedule({
        name: 'tick',
        every: 10,
        by: 'stream-time',
        punctuate(timestamp) {
          stores.notes.put('last', String(timestamp))
          emit.out('-', 'tick')
        },
      })
      return {
        process({ value }) {
          stores.notes.put('last', 'poison')
          if (value === 'bad') throw new Error('bad')
        },
      }
    })
    pipe('good', 5)
    pipe('bad', 10)
    expect(told()).toEqual(['tick@10'])
    expect(driver.store(notes).get('last')).toBe('10')
    expect(driver.deadLetters()).toHaveLength(1)
  })

  it('calls in the order of instants, then of processors, then of names', () => {
    const { pipe, told } = ticking(({ emit, schedule }) => {
      for (const [name, every] of [
        ['b', 10],
        ['a', 10],
        ['c', 9],
      ] as const) {
        schedule({ name, every, by: 'stream-time', punctuate: () => emit.out('-', name) })
      }
      return { process: () => {} }
    })
    for (const at of [1, 11, 18]) pipe('r', at)
    expect(told()).toEqual(['c@9', 'a@10', 'b@10', 'c@18'])
  })

  it('sends through later processors, which see no topic', () => {
    const builder = new TopologyBuilder()
    const first = builder.processor({
      name: 'first',
      from: builder.source(source),
      outputs: { out: output<string, string>() },
      init({ emit, schedule }) {
        schedule({ name: 'tick', every: 10, by: 'stream-time', punctuate: () => emit.out('-', 'tick') })
        return { process: () => {} }
      },
    })
    const seen: unknown[] = []
    builder.processor({
      name: 'second',
      from: first.out,
      init: () => ({
        process: ({ topic, partition, offset, timestamp, headers }) =>
          void seen.push({ topic, partition, offset, timestamp, headers }),
      }),
    })
    const driver = new TopologyTestDriver(builder.build(), { partitions: 3 })
    for (const timestamp of [1, 10]) {
      driver
        .inputTopic(source)
        .pipe('k', 'v', { timestamp, partition: 2, headers: [{ key: 'h', value: '1' }] })
    }
    expect(seen).toEqual([{ topic: '', partition: 2, offset: -1, timestamp: 10, headers: [] }])
  })
})

const failing = ({ emit, schedule, stores }: Context): Processor<string, string> => {
  schedule({
    name: 'a-failing',
    every: 10,
    by: 'stream-time',
    punctuate(timestamp) {
      stores.notes.put('failing', String(timestamp))
      emit.out('-', 'failing')
      if (timestamp === 10) throw new Error('no')
    },
  })
  schedule({ name: 'b-fine', every: 10, by: 'stream-time', punctuate: () => emit.out('-', 'fine') })
  return { process: ({ key, value }) => emit.out(key, value) }
}

function refuse(): never {
  throw new Error('later')
}

group('a punctuator that throws', () => {
  it('is taken back alone, and skipped until its next time', () => {
    const { driver, pipe, told } = ticking(failing)
    for (const at of [1, 10]) pipe('r', at)
    expect(driver.store(notes).get('failing')).toBeUndefined()
    expect(driver.failedPunctuators()).toMatchObject([
      { taskId: '0_0', processor: 'ticking', name: 'a-failing', timestamp: 10, error: { message: 'no' } },
    ])
    pipe('r', 20)
    expect(told()).toEqual(['r@1', 'fine@10', 'r@10', 'failing@20', 'fine@20', 'r@20'])
    expect(driver.store(notes).get('failing')).toBe('20')
  })

  it('stops with the handler "fail"', () => {
    const { pipe } = ticking(failing, { onPoison: 'fail' })
    pipe('r', 1)
    expect(() => pipe('r', 10)).toThrow('no')
  })

  it('fails also when it caught what it emitted to', () => {
    const builder = new TopologyBuilder()
    const first = builder.processor({
      name: 'first',
      from: builder.source(source),
      outputs: { out: output<string, string>() },
      init({ emit, schedule }) {
        const punctuate = (): void => {
          try {
            emit.out('-', 'tick')
          } catch {
            // Swallowed on purpose: half of what the later processor did would stay.
          }
        }
        schedule({ name: 'tick', every: 10, by: 'stream-time', punctuate })
        return { process: () => {} }
      },
    })
    builder.processor({ name: 'second', from: first.out, init: () => ({ process: refuse }) })
    const driver = new TopologyTestDriver(builder.build())
    for (const timestamp of [1, 10]) driver.inputTopic(source).pipe('k', 'v', { timestamp })
    expect(driver.failedPunctuators()).toMatchObject([{ processor: 'first', error: { message: 'later' } }])
  })
})

/** `on` starts a timer, `off` stops it, `bad` does the other one and fails. */
const switched = ({ emit, schedule }: Context): Processor<string, string> => {
  let timer: Cancellable | undefined
  const start = (): Cancellable =>
    schedule({ name: 'tick', every: 10, by: 'stream-time', punctuate: () => emit.out('-', 'tick') })
  return {
    process({ value }) {
      if (value === 'on') timer = start()
      if (value === 'off') timer?.cancel()
      if (value === 'on bad') start()
      if (value === 'off bad') timer?.cancel()
      if (value.endsWith('bad')) throw new Error('bad')
    },
    resume: () => {},
  }
}

group('scheduling inside process', () => {
  it('begins with the first instant after it, and ends with cancel', () => {
    const { pipe, told } = ticking(switched)
    pipe('on', 10)
    for (const at of [19, 20]) pipe('r', at)
    pipe('off', 29)
    pipe('off', 30)
    pipe('r', 60)
    expect(told()).toEqual(['tick@20'])
  })

  it('is taken back with the record', () => {
    const { pipe, told } = ticking(switched)
    pipe('on bad', 1)
    pipe('r', 10)
    expect(told()).toEqual([])
    pipe('on', 11)
    pipe('off bad', 12)
    pipe('r', 20)
    expect(told()).toEqual(['tick@20'])
  })

  it('lets a punctuator cancel itself and one after it', () => {
    const { pipe, told } = ticking(({ emit, schedule }) => {
      const timers: Cancellable[] = []
      for (const name of ['a', 'b']) {
        const punctuate = (): void => {
          emit.out('-', name)
          for (const timer of timers) timer.cancel()
        }
        timers.push(schedule({ name, every: 10, by: 'stream-time', punctuate }))
      }
      return { process: () => {}, resume: () => {} }
    })
    for (const at of [1, 10, 20]) pipe('r', at)
    expect(told()).toEqual(['a@10'])
  })
})

const flushing = ({ emit, schedule }: Context): Processor<string, string> => {
  schedule({ name: 'flush', every: 10, by: 'wall-clock', punctuate: (at) => emit.out('-', `flush ${at}`) })
  return { process: () => {} }
}

group('by wall clock', () => {
  it('fires without input, once for what was passed in one go', () => {
    const { driver, pipe, told } = ticking(flushing, { wallClock: true, startTime: 5 })
    driver.advanceWallClock(4)
    expect(told()).toEqual([])
    driver.advanceWallClock(1)
    driver.advanceWallClock(29)
    pipe('r', 500)
    expect(told()).toEqual(['flush 10@10', 'flush 30@30'])
  })

  it('fires in every task', () => {
    const { driver } = ticking(flushing, { wallClock: true, partitions: 2 })
    driver.advanceWallClock(10)
    const records = driver.outputTopic('out', utf8, utf8).readAll()
    expect(records.map(({ partition, value }) => [partition, value])).toEqual([
      [0, 'flush 10'],
      [1, 'flush 10'],
    ])
  })

  it('shows in descriptions', () => {
    const builder = new TopologyBuilder()
    const from = builder.source(source)
    builder.processor({ name: 'pure', from, init: () => ({ process: () => {} }) })
    builder.processor({ name: 'timed', from, wallClock: true, init: () => ({ process: () => {} }) })
    const topology = builder.build()
    const text = describe(topology)
    expect(text.match(/Processor: timed.*\n.*\n.*\n.*wall clock/)).not.toBeNull()
    expect(text.match(/wall clock/g)).toHaveLength(1)
    const nodes = describeJson(topology).subtopologies[0]?.nodes ?? []
    expect(nodes.filter((node) => 'wallClock' in node).map(({ name }) => name)).toEqual(['timed'])
  })
})

const timer = { name: 'tick', every: 10, by: 'stream-time', punctuate: () => {} } as const
const idle = { process: () => {} }

group('what is refused', () => {
  it.each([
    ['an interval of 0', { ...timer, every: 0 }, 'TOPOLOGY_INVALID_TIMER'],
    ['half a millisecond', { ...timer, every: 0.5 }, 'TOPOLOGY_INVALID_TIMER'],
    ['no name', { ...timer, name: '' }, 'TOPOLOGY_INVALID_TIMER'],
    ['an undeclared wall clock', { ...timer, by: 'wall-clock' }, 'TOPOLOGY_WALL_CLOCK_UNDECLARED'],
  ] as const)('%s', (_, punctuator, code) => {
    const init = ({ schedule }: Context): Processor<string, string> => {
      schedule(punctuator)
      return idle
    }
    expect(() => ticking(init)).toThrow(expect.objectContaining({ code }))
  })

  it('a second timer of one name', () => {
    const both = [timer, timer]
    expect(() =>
      ticking((context) => {
        for (const one of both) context.schedule(one)
        return idle
      }),
    ).toThrow(expect.objectContaining({ code: 'TOPOLOGY_DUPLICATE_TIMER' }))
  })

  it('stream time outside of init when nothing can set it again', () => {
    const { driver, pipe } = ticking(({ schedule }) => ({ process: () => void schedule(timer) }))
    pipe('r', 1)
    expect(driver.deadLetters()).toMatchObject([{ code: 'TOPOLOGY_TIMER_NOT_RESUMABLE' }])
  })

  it('scheduling and cancelling without a turn', () => {
    let context: Context | undefined
    let cancellable: Cancellable | undefined
    ticking((given) => {
      context = given
      cancellable = given.schedule(timer)
      return idle
    })
    const code = 'TOPOLOGY_SCHEDULE_OUTSIDE_PROCESS'
    expect(() => context?.schedule({ ...timer, name: 'other' })).toThrow(expect.objectContaining({ code }))
    expect(() => cancellable?.cancel()).toThrow(expect.objectContaining({ code }))
  })

  it('emitting from resume', () => {
    const process = idle.process
    expect(() => ticking(({ emit }) => ({ process, resume: () => emit.out('k', 'v') }))).toThrow(
      expect.objectContaining({ code: 'TOPOLOGY_EMIT_OUTSIDE_PROCESS' }),
    )
  })
})
