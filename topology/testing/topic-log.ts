/** One topic in the test driver's memory: everything ever written, in the order of writing. */
import { noHeaders } from '#core'
import type { RecordHeaders } from '#core'
import type { EncodedRecord } from '../task-host.ts'

export interface LoggedRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly timestamp: number
  readonly headers: RecordHeaders
}

export class TopicLog {
  readonly records: LoggedRecord[] = []
  readonly #nextOffsets: number[]

  constructor(partitions: number) {
    this.#nextOffsets = Array.from({ length: partitions }, () => 0)
  }

  append(record: Omit<LoggedRecord, 'offset'>): LoggedRecord {
    const offset = this.#nextOffsets[record.partition] ?? 0
    this.#nextOffsets[record.partition] = offset + 1
    const logged = { ...record, offset }
    this.records.push(logged)
    return logged
  }
}

/** The record as a task gets it from a fetched buffer. */
export function encodedRecord({ key, value, offset, timestamp, headers }: LoggedRecord): EncodedRecord {
  const buffer = Buffer.concat([key ?? noBytes, value ?? noBytes])
  const valueStart = key?.length ?? 0
  return {
    buffer,
    offset,
    timestamp,
    keyStart: 0,
    keyEnd: key === null ? -1 : valueStart,
    valueStart,
    valueEnd: value === null ? -1 : buffer.length,
    hasHeaders: headers.length > 0,
    headers: () => (headers.length > 0 ? headers : noHeaders),
  }
}

const noBytes = Buffer.alloc(0)
