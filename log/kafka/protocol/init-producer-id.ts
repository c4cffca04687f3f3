import type { AnswerReader, Api } from './wire.ts'

/** Who writes: its id, and the epoch that fences former holders of it. */
export interface ProducerIdentity {
  readonly id: number
  readonly epoch: number
}

export const noProducer: ProducerIdentity = { id: -1, epoch: -1 }

interface InitProducerIdRequest {
  /** Null for an appender outside of transactions. */
  readonly transactionalId: string | null
  readonly timeoutMs: number
  /** `noProducer` takes the id over; one's own identity only succeeds while nobody has taken it over. */
  readonly producer: ProducerIdentity
}

export interface ProducerAnswer {
  readonly code: number
  readonly producer: ProducerIdentity
}

export const initProducerId: Api<InitProducerIdRequest, ProducerAnswer> = {
  key: 22,
  version: 5,
  name: 'InitProducerId',
  encode(out, { transactionalId, timeoutMs, producer }) {
    out.string(transactionalId)
    out.i32(timeoutMs)
    out.i64(producer.id)
    out.i16(producer.epoch)
    out.tags()
  },
  decode: decodeProducerAnswer,
}

export function decodeProducerAnswer(from: AnswerReader): ProducerAnswer {
  from.i32()
  const answer = { code: from.i16(), producer: { id: from.i64(), epoch: from.i16() } }
  from.tags()
  return answer
}
