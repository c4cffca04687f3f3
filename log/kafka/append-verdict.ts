/** What an answer to Produce means to an appender outside of transactions. */
import { code, isRetriable } from './broker-errors.ts'

export type AppendVerdict =
  /** In the log, at the offset that was answered. */
  | 'appended'
  /** Appended by an earlier try, so long ago that the broker does not know where. */
  | 'appended-somewhere'
  /** Not appended by this try; the same batch may be sent again in its place of the sequence. */
  | 'again'
  /** As `again`, but it may have been appended. */
  | 'again-unknown'
  /** Not appended: larger than the topic takes. */
  | 'too-large'
  /** Not appended: it does not follow what the broker has of this producer. */
  | 'sequence'
  /** Not appended, and never will be. */
  | 'refused'

export function appendVerdict(value: number): AppendVerdict {
  switch (value) {
    case code.none:
      return 'appended'
    case code.duplicateSequenceNumber:
      return 'appended-somewhere'
    case code.messageTooLarge:
    case code.recordListTooLarge:
      return 'too-large'
    case code.outOfOrderSequenceNumber:
    case code.unknownProducerId:
    case code.invalidProducerEpoch:
    case code.producerFenced:
    case code.invalidProducerIdMapping:
      return 'sequence'
    // The leader has it, and the followers may get it yet.
    case code.requestTimedOut:
    case code.notEnoughReplicasAfterAppend:
    case code.networkException:
    case code.unknownServerError:
      return 'again-unknown'
    default:
      return isRetriable(value) ? 'again' : 'refused'
  }
}
