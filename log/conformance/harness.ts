import { randomUUID } from 'node:crypto'
import { systemClock } from '#core'
import type { Clock } from '#core'
import type { AppendRecord, Log, Reader, TopicPartition, TopicSettings } from '../index.ts'

/** Generous: a broker on a slow machine is no failure. */
const untilMs = 60_000

/** A log under test, made anew for each test. */
export interface LogHarness {
  readonly log: Log
  /** Another client with a session or connections of its own. The harness closes it. */
  readonly connect: () => Promise<Log>
  /** What waits of the suite go by; the system's clock when left out. */
  readonly clock?: Clock
  /** Ends a client as a crash of its process would: without leaving, aborting, or flushing. */
  readonly kill?: (client: Log) => Promise<void>
  /** Closes the log and opens the same data again. */
  readonly reopen?: () => Promise<Log>
  /** Compacts everything but the last batch of each partition of a topic. */
  readonly compact?: (topic: string) => Promise<void>
  readonly close: () => Promise<void>
}

export interface LogSuiteOptions {
  readonly name: string
  readonly open: () => Promise<LogHarness>
  /** Which optional parts the harness has; their tests run only then. */
  readonly supports?: { readonly kill?: boolean; readonly reopen?: boolean; readonly compact?: boolean }
  /** Tests a driver cannot pass, by their exact names, with the reason. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[]
}

/** What a test works with. */
export interface TestContext extends LogHarness {
  /** Creates a topic under a fresh name. */
  readonly topic: (partitions?: number, settings?: Partial<TopicSettings>) => Promise<string>
  /** Waits until the condition holds; fails the test when it does not within a minute. */
  readonly until: (what: string, condition: () => boolean | Promise<boolean>) => Promise<void>
  readonly sleep: (ms: number) => Promise<void>
}

type TestBody = (context: TestContext) => Promise<void>
/** Names a test; the suite decides where it runs. */
export type Define = (name: string, body: TestBody) => void

export function contextOf(harness: LogHarness): TestContext {
  const clock = harness.clock ?? systemClock
  return {
    log: harness.log,
    connect: () => harness.connect(),
    clock,
    kill: async (client) => harness.kill?.(client),
    reopen: async () => (await harness.reopen?.()) ?? harness.log,
    compact: async (topic) => harness.compact?.(topic),
    close: () => harness.close(),
    topic: async (partitions = 1, settings = {}) => {
      const name = freshName('topic')
      await harness.log.admin.ensureTopics([
        { name, partitions, settings: { cleanup: 'delete', ...settings } },
      ])
      return name
    },
    until: async (what, condition) => {
      const deadline = clock.now() + untilMs
      while (!(await condition())) {
        if (clock.now() > deadline) throw new Error(`waited ${untilMs} ms in vain until ${what}`)
        await clock.sleep(2)
      }
    },
    sleep: (ms) => clock.sleep(ms),
  }
}

export function freshName(kind: string): string {
  return `${kind}-${randomUUID().slice(0, 8)}`
}

export interface ReadRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly { readonly key: string; readonly value: string | null }[]
}

/** Every record from `from` (default: the start) to the last stable offset as of now. */
export async function readAll(log: Log, topic: string, partition = 0, from?: number): Promise<ReadRecord[]> {
  const place: TopicPartition = { topic, partition }
  const [offsets] = await log.admin.offsets([place])
  if (offsets === undefined) throw new Error(`no offsets of ${topic}-${partition}`)
  const reader = log.reader()
  try {
    reader.seek(place, from ?? offsets.start)
    const records: ReadRecord[] = []
    while ((reader.position(place) ?? 0) < offsets.lastStableOffset)
      records.push(...(await pollRecords(reader)))
    return records
  } finally {
    await reader.close()
  }
}

/** The records of one poll. */
export async function pollRecords(reader: Reader, waitMs = 5000): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  for (const fetched of await reader.poll(waitMs)) {
    const cursor = fetched.cursor()
    while (cursor.next()) {
      records.push({
        partition: fetched.partition,
        offset: cursor.offset,
        timestamp: cursor.timestamp,
        key: cursor.key()?.toString() ?? null,
        value: cursor.value()?.toString() ?? null,
        headers: cursor.headers().map(({ key, value }) => ({ key, value: value?.toString() ?? null })),
      })
    }
  }
  return records
}

export function valuesOf(records: readonly ReadRecord[]): (string | null)[] {
  return records.map((record) => record.value)
}

/** Appends values in one turn, without keys, to partition 0 (or another). */
export async function appendValues(
  log: Log,
  topic: string,
  values: readonly string[],
  record: Partial<AppendRecord> = {},
): Promise<number[]> {
  const appender = log.appender()
  try {
    const appended = await Promise.all(
      values.map((value) => appender.append({ topic, partition: 0, key: null, value, ...record })),
    )
    return appended.map(({ offset }) => offset)
  } finally {
    await appender.close()
  }
}
