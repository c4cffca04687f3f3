/** Error codes of the Kafka protocol: their names, and what they mean to requests outside of transactions. */
import type { MillraceError } from '#core'
import { logError } from '../index.ts'
import type { LogErrorCode } from '../index.ts'

export const code = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  notController: 41,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  unknownProducerId: 59,
  nonEmptyGroup: 68,
  groupIdNotFound: 69,
  memberIdRequired: 79,
  fencedInstanceId: 82,
  unstableOffsetCommit: 88,
  producerFenced: 90,
  transactionAbortable: 120,
} as const

/** What a code is called, from -1 on, as in Kafka's `Errors`. */
const names = (
  'UNKNOWN_SERVER_ERROR NONE OFFSET_OUT_OF_RANGE CORRUPT_MESSAGE UNKNOWN_TOPIC_OR_PARTITION INVALID_FETCH_SIZE ' +
  'LEADER_NOT_AVAILABLE NOT_LEADER_OR_FOLLOWER REQUEST_TIMED_OUT BROKER_NOT_AVAILABLE REPLICA_NOT_AVAILABLE ' +
  'MESSAGE_TOO_LARGE STALE_CONTROLLER_EPOCH OFFSET_METADATA_TOO_LARGE NETWORK_EXCEPTION ' +
  'COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE NOT_COORDINATOR INVALID_TOPIC_EXCEPTION ' +
  'RECORD_LIST_TOO_LARGE NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND INVALID_REQUIRED_ACKS ' +
  'ILLEGAL_GENERATION INCONSISTENT_GROUP_PROTOCOL INVALID_GROUP_ID UNKNOWN_MEMBER_ID INVALID_SESSION_TIMEOUT ' +
  'REBALANCE_IN_PROGRESS INVALID_COMMIT_OFFSET_SIZE TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED ' +
  'CLUSTER_AUTHORIZATION_FAILED INVALID_TIMESTAMP UNSUPPORTED_SASL_MECHANISM ILLEGAL_SASL_STATE ' +
  'UNSUPPORTED_VERSION TOPIC_ALREADY_EXISTS INVALID_PARTITIONS INVALID_REPLICATION_FACTOR ' +
  'INVALID_REPLICA_ASSIGNMENT INVALID_CONFIG NOT_CONTROLLER INVALID_REQUEST UNSUPPORTED_FOR_MESSAGE_FORMAT ' +
  'POLICY_VIOLATION OUT_OF_ORDER_SEQUENCE_NUMBER DUPLICATE_SEQUENCE_NUMBER INVALID_PRODUCER_EPOCH ' +
  'INVALID_TXN_STATE INVALID_PRODUCER_ID_MAPPING INVALID_TRANSACTION_TIMEOUT CONCURRENT_TRANSACTIONS ' +
  'TRANSACTION_COORDINATOR_FENCED TRANSACTIONAL_ID_AUTHORIZATION_FAILED SECURITY_DISABLED ' +
  'OPERATION_NOT_ATTEMPTED KAFKA_STORAGE_ERROR LOG_DIR_NOT_FOUND SASL_AUTHENTICATION_FAILED UNKNOWN_PRODUCER_ID ' +
  'REASSIGNMENT_IN_PROGRESS DELEGATION_TOKEN_AUTH_DISABLED DELEGATION_TOKEN_NOT_FOUND ' +
  'DELEGATION_TOKEN_OWNER_MISMATCH DELEGATION_TOKEN_REQUEST_NOT_ALLOWED DELEGATION_TOKEN_AUTHORIZATION_FAILED ' +
  'DELEGATION_TOKEN_EXPIRED INVALID_PRINCIPAL_TYPE NON_EMPTY_GROUP GROUP_ID_NOT_FOUND FETCH_SESSION_ID_NOT_FOUND ' +
  'INVALID_FETCH_SESSION_EPOCH LISTENER_NOT_FOUND TOPIC_DELETION_DISABLED FENCED_LEADER_EPOCH ' +
  'UNKNOWN_LEADER_EPOCH UNSUPPORTED_COMPRESSION_TYPE STALE_BROKER_EPOCH OFFSET_NOT_AVAILABLE MEMBER_ID_REQUIRED ' +
  'PREFERRED_LEADER_NOT_AVAILABLE GROUP_MAX_SIZE_REACHED FENCED_INSTANCE_ID ELIGIBLE_LEADERS_NOT_AVAILABLE ' +
  'ELECTION_NOT_NEEDED NO_REASSIGNMENT_IN_PROGRESS GROUP_SUBSCRIBED_TO_TOPIC INVALID_RECORD ' +
  'UNSTABLE_OFFSET_COMMIT THROTTLING_QUOTA_EXCEEDED PRODUCER_FENCED RESOURCE_NOT_FOUND DUPLICATE_RESOURCE ' +
  'UNACCEPTABLE_CREDENTIAL INCONSISTENT_VOTER_SET INVALID_UPDATE_VERSION FEATURE_UPDATE_FAILED ' +
  'PRINCIPAL_DESERIALIZATION_FAILURE SNAPSHOT_NOT_FOUND POSITION_OUT_OF_RANGE UNKNOWN_TOPIC_ID ' +
  'DUPLICATE_BROKER_REGISTRATION BROKER_ID_NOT_REGISTERED INCONSISTENT_TOPIC_ID INCONSISTENT_CLUSTER_ID ' +
  'TRANSACTIONAL_ID_NOT_FOUND FETCH_SESSION_TOPIC_ID_ERROR INELIGIBLE_REPLICA NEW_LEADER_ELECTED ' +
  'OFFSET_MOVED_TO_TIERED_STORAGE FENCED_MEMBER_EPOCH UNRELEASED_INSTANCE_ID UNSUPPORTED_ASSIGNOR ' +
  'STALE_MEMBER_EPOCH MISMATCHED_ENDPOINT_TYPE UNSUPPORTED_ENDPOINT_TYPE UNKNOWN_CONTROLLER_ID ' +
  'UNKNOWN_SUBSCRIPTION_ID TELEMETRY_TOO_LARGE INVALID_REGISTRATION TRANSACTION_ABORTABLE ' +
  'INVALID_RECORD_STATE SHARE_SESSION_NOT_FOUND INVALID_SHARE_SESSION_EPOCH FENCED_STATE_EPOCH ' +
  'INVALID_VOTER_KEY DUPLICATE_VOTER VOTER_NOT_FOUND INVALID_REGULAR_EXPRESSION REBOOTSTRAP_REQUIRED'
).split(' ')

/** Of a code between -1 and the last one known here. */
export function nameOfCode(value: number): string {
  return names[value + 1] ?? `error ${value}`
}

/** Every code there is a name for. */
export const knownCodes: readonly number[] = names.map((_, index) => index - 1)

/** Another broker leads the partition now, or will in a moment: ask for metadata, then try again. Nothing was done. */
const leaderMoved = new Set([3, 5, 6, 8, 9, 56, 72, 74, 75, 76, 78, 100, 103])
/** Another broker coordinates the group or the transactional id now: look for it, then try again. */
const coordinatorMoved = new Set([14, 15, 16])
/** The broker could not do it now. It may have done it in part. */
const passing = new Set([-1, 2, 7, 13, 19, 20, 41, 60, 89])
const forbidden = new Set([29, 30, 31, 33, 34, 53, 54, 58, 65])

export const isLeaderMoved = (value: number): boolean => leaderMoved.has(value)
export const isCoordinatorMoved = (value: number): boolean => coordinatorMoved.has(value)
export const isRetriable = (value: number): boolean =>
  leaderMoved.has(value) || coordinatorMoved.has(value) || passing.has(value)

/** A broker's refusal as an error of the port. `subject` names what was asked: "topic orders". */
export function brokerError(value: number, subject: string, message: string | null = null): MillraceError {
  const text = `${subject}: Kafka answers ${nameOfCode(value)}${message === null ? '' : ` (${message})`}.`
  const context = { kafkaCode: value }
  const fail = (port: LogErrorCode, advice: string): MillraceError =>
    logError(port, `${text} ${advice}`, { context })
  if (forbidden.has(value)) return fail('LOG_UNAUTHORIZED', 'Give this user the rights, or use another.')
  if (value === code.unknownTopicOrPartition)
    return fail('LOG_UNKNOWN_TOPIC', 'Create it, or correct its name.')
  if (value === code.offsetOutOfRange)
    return fail('LOG_OFFSET_OUT_OF_RANGE', 'Take one of what the partition holds.')
  if (value === code.unsupportedVersion) return fail('LOG_UNSUPPORTED', 'Use Apache Kafka 4.0 or newer.')
  // Not one that passes for everybody: only who writes in a transaction waits for the one before.
  if (value === code.concurrentTransactions || isRetriable(value))
    return fail('LOG_UNAVAILABLE', 'Try again.')
  return fail('LOG_INVALID_REQUEST', 'Correct what was asked for.')
}
