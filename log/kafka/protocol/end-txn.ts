import { decodeProducerAnswer } from './init-producer-id.ts'
import type { ProducerAnswer, ProducerIdentity } from './init-producer-id.ts'
import type { Api } from './wire.ts'

interface EndTxnRequest {
  readonly transactionalId: string
  readonly producer: ProducerIdentity
  readonly commit: boolean
}

/** Version 5 belongs to transactions version 2 (KIP-890): the answer brings the identity of the next transaction. */
export const endTxn: Api<EndTxnRequest, ProducerAnswer> = {
  key: 26,
  version: 5,
  name: 'EndTxn',
  encode(out, { transactionalId, producer, commit }) {
    out.string(transactionalId)
    out.i64(producer.id)
    out.i16(producer.epoch)
    out.bool(commit)
    out.tags()
  },
  decode: decodeProducerAnswer,
}
