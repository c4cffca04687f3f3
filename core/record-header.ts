import type { BytesLike } from './bytes.ts'

/** A record header. Keys may repeat; order is kept. */
export interface RecordHeader {
  readonly key: string
  readonly value: BytesLike | null
}

export type RecordHeaders = readonly RecordHeader[]

export const noHeaders: RecordHeaders = []
