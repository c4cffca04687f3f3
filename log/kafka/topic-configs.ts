/** Our topic settings as Kafka's configuration, and back. */
import type { TopicDescription, TopicSettings, TopicSpec } from '../index.ts'
import { withDefaults } from '../topic-settings.ts'

/** The configurations this driver reads. */
export const configNames = [
  'cleanup.policy',
  'retention.ms',
  'message.timestamp.type',
  'max.message.bytes',
  'delete.retention.ms',
  'min.insync.replicas',
  'unclean.leader.election.enable',
] as const

type ConfigName = (typeof configNames)[number]
export type TopicConfigs = ReadonlyMap<string, string>

/** With three copies or more, a record counts as durable once two have it. */
const replicasToSpareOne = 3
const inSyncReplicas = 2

export interface KafkaTopic extends TopicDescription {
  readonly replicas: number
  readonly configs: TopicConfigs
}

export function configsOf(settings: TopicSettings, replicas: number): TopicConfigs {
  const { cleanup, retentionMs, timestamps, maxMessageBytes, deleteRetentionMs } = withDefaults(settings)
  const configs = new Map<ConfigName, string>([
    ['cleanup.policy', cleanup],
    ['retention.ms', String(retentionMs)],
    ['message.timestamp.type', timestamps === 'log-append' ? 'LogAppendTime' : 'CreateTime'],
    ['max.message.bytes', String(maxMessageBytes)],
    ['delete.retention.ms', String(deleteRetentionMs)],
    ['unclean.leader.election.enable', 'false'],
  ])
  if (replicas >= replicasToSpareOne) configs.set('min.insync.replicas', String(inSyncReplicas))
  return configs
}

export function settingsOf(configs: TopicConfigs): Required<TopicSettings> {
  const config = (name: ConfigName): string => configs.get(name) ?? ''
  return {
    cleanup: config('cleanup.policy') === 'compact' ? 'compact' : 'delete',
    retentionMs: Number(config('retention.ms')),
    timestamps: config('message.timestamp.type') === 'LogAppendTime' ? 'log-append' : 'create',
    maxMessageBytes: Number(config('max.message.bytes')),
    deleteRetentionMs: Number(config('delete.retention.ms')),
  }
}

/** How a topic that exists differs from what is asked for, in words; empty when it will do. */
export function differencesOf(
  existing: KafkaTopic,
  { partitions, replicationFactor, settings }: TopicSpec,
): string[] {
  const wanted = withDefaults(settings)
  const { name, replicas, configs } = existing
  const differences: string[] = []
  const compare = (what: string, is: string | number, asked: string | number): void => {
    if (is !== asked) differences.push(`${name} has ${what} ${is} instead of ${asked}`)
  }
  compare('partitions', existing.partitions, partitions)
  if (replicationFactor !== undefined) compare('replicationFactor', replicas, replicationFactor)
  // "compact,delete" is neither of ours.
  compare('cleanup', configs.get('cleanup.policy') ?? '', wanted.cleanup)
  compare('timestamps', existing.settings.timestamps, wanted.timestamps)
  compare('maxMessageBytes', existing.settings.maxMessageBytes, wanted.maxMessageBytes)
  // Each matters to one way of cleaning up only.
  if (wanted.cleanup === 'delete' || settings.retentionMs !== undefined)
    compare('retentionMs', existing.settings.retentionMs, wanted.retentionMs)
  if (wanted.cleanup === 'compact' || settings.deleteRetentionMs !== undefined)
    compare('deleteRetentionMs', existing.settings.deleteRetentionMs, wanted.deleteRetentionMs)
  const inSync = Number(configs.get('min.insync.replicas'))
  if (replicas >= replicasToSpareOne && inSync < inSyncReplicas)
    differences.push(`${name} has min.insync.replicas ${inSync} instead of ${inSyncReplicas} or more`)
  if (configs.get('unclean.leader.election.enable') === 'true')
    differences.push(`${name} has unclean.leader.election.enable true instead of false`)
  return differences
}
