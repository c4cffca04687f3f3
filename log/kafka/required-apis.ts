/** What a broker must know to serve this driver; refused otherwise, before anything is written. */
import { logError } from '../index.ts'
import { nameOfCode } from './broker-errors.ts'
import type { BrokerConnection } from './broker-connection.ts'
import { apiVersions } from './protocol/api-versions.ts'
import { deleteRecords } from './protocol/delete-records.ts'
import { describeConfigs } from './protocol/describe-configs.ts'
import { endTxn } from './protocol/end-txn.ts'
import { fetch } from './protocol/fetch.ts'
import { findCoordinator } from './protocol/find-coordinator.ts'
import { describeGroup, heartbeat, joinGroup, leaveGroup, syncGroup } from './protocol/group-members.ts'
import { deleteGroups, offsetFetch, txnOffsetCommit } from './protocol/group-offsets.ts'
import { initProducerId } from './protocol/init-producer-id.ts'
import { listOffsets } from './protocol/list-offsets.ts'
import { metadata } from './protocol/metadata.ts'
import { describeProducers, listTransactions } from './protocol/open-transactions.ts'
import { produce } from './protocol/produce.ts'
import { createTopics, deleteTopics } from './protocol/topics.ts'

const required = [
  metadata,
  findCoordinator,
  initProducerId,
  produce,
  txnOffsetCommit,
  endTxn,
  fetch,
  listOffsets,
  offsetFetch,
  createTopics,
  deleteTopics,
  describeConfigs,
  deleteRecords,
  deleteGroups,
  joinGroup,
  syncGroup,
  heartbeat,
  leaveGroup,
  describeGroup,
  describeProducers,
  listTransactions,
]

const transactionFeature = 'transaction.version'
const transactionLevel = 2

interface BrokerSupport {
  readonly versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>
  readonly features: ReadonlyMap<string, number>
}

/** What is missing, in words; empty when the broker will do. */
export function missingSupport({ versions, features }: BrokerSupport): string[] {
  const missing = required.flatMap(({ key, version, name }) => {
    const range = versions.get(key)
    if (range !== undefined && range.min <= version && version <= range.max) return []
    return `${name} version ${version} (it has ${range === undefined ? 'none' : `${range.min} to ${range.max}`})`
  })
  const level = features.get(transactionFeature) ?? 0
  if (level < transactionLevel) {
    missing.push(
      `the feature ${transactionFeature} at level ${transactionLevel} (it is at ${level}; ` +
        `kafka-features.sh upgrade --feature ${transactionFeature}=${transactionLevel} raises it)`,
    )
  }
  return missing
}

/** Errors: LOG_UNSUPPORTED, NoAnswer. */
export async function checkBroker(connection: BrokerConnection): Promise<void> {
  const { code, versions, features } = await connection.request(apiVersions, undefined)
  const missing = code === 0 ? missingSupport({ versions, features }) : [`ApiVersions (${nameOfCode(code)})`]
  if (missing.length === 0) return
  throw logError(
    'LOG_UNSUPPORTED',
    `This Kafka cannot keep exactly-once as Millrace does it. It lacks ${missing.join('; ')}. ` +
      'Use Apache Kafka 4.0 or newer with transactions version 2 (KIP-890).',
    { context: { missing } },
  )
}
