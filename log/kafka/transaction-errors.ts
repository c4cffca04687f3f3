/**
 * What brokers' answers mean to a transaction, for every code there is. Two questions are told apart: while records and
 * offsets are sent nothing can be committed yet; once EndTxn was sent, anything else than a clear answer leaves the
 * outcome open.
 */
import { code, isRetriable } from './broker-errors.ts'

export type SendVerdict =
  | 'ok'
  /** The same request again, in the same place of the sequence. */
  | 'retry'
  /** This transaction cannot be committed any more; the next one can. */
  | 'abort'
  /** The member of the group, or its generation, is stale. */
  | 'fenced'
  /** Fenced, or timed out by the coordinator: InitProducerId with the own identity tells. */
  | 'ask'

export type EndVerdict =
  | 'ok'
  | 'retry'
  /** Somebody has taken the transactional id over. */
  | 'fenced'
  | 'ask'
  /** Nothing that says whether it was committed. */
  | 'unknown'

/**
 * Whether the same request may succeed in a moment. Besides what passes in general: markers of the transaction before
 * are still being written, or partitions of this one still being added.
 */
export function passes(value: number): boolean {
  return value === code.concurrentTransactions || isRetriable(value)
}

/** Produce and TxnOffsetCommit. */
export function sendVerdict(value: number): SendVerdict {
  switch (value) {
    case code.none:
      return 'ok'
    case code.illegalGeneration:
    case code.unknownMemberId:
    case code.fencedInstanceId:
      return 'fenced'
    // A new generation is being made; whoever is in it commits again then.
    case code.rebalanceInProgress:
      return 'abort'
    case code.producerFenced:
    case code.invalidProducerEpoch:
    case code.invalidTxnState:
    case code.invalidProducerIdMapping:
    case code.unknownProducerId:
      return 'ask'
    default:
      return passes(value) ? 'retry' : 'abort'
  }
}

/** EndTxn. */
export function endVerdict(value: number): EndVerdict {
  switch (value) {
    case code.none:
      return 'ok'
    case code.producerFenced:
      return 'fenced'
    case code.invalidProducerEpoch:
    case code.invalidTxnState:
    case code.invalidProducerIdMapping:
    case code.unknownProducerId:
      return 'ask'
    default:
      return passes(value) ? 'retry' : 'unknown'
  }
}

/** InitProducerId with the own identity: is the id still ours? */
export function ownershipVerdict(value: number): 'ours' | 'retry' | 'fenced' | 'unknown' {
  switch (value) {
    case code.none:
      return 'ours'
    case code.producerFenced:
    case code.invalidProducerEpoch:
      return 'fenced'
    default:
      return passes(value) ? 'retry' : 'unknown'
  }
}
