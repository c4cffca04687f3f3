import { expect, it } from 'vitest'
import type { TopicSpec } from '../index.ts'
import { configsOf, differencesOf, settingsOf } from './topic-configs.ts'
import type { KafkaTopic } from './topic-configs.ts'

const settings = { cleanup: 'delete', timestamps: 'log-append' } as const
const spec: TopicSpec = { name: 't', partitions: 2, settings }

function topic(changes: Readonly<Record<string, string>> = {}, replicas = 3): KafkaTopic {
  const configs = new Map([...configsOf(settings, replicas), ...Object.entries(changes)])
  return { name: 't', topicId: 'id', partitions: 2, replicas, configs, settings: settingsOf(configs) }
}

it('reads back what it writes', () => {
  const whole = {
    cleanup: 'compact',
    retentionMs: 5,
    timestamps: 'create',
    maxMessageBytes: 6,
    deleteRetentionMs: 7,
  }
  expect(settingsOf(configsOf(whole as Required<TopicSpec['settings']>, 1))).toEqual(whole)
})

it('asks for two copies in sync of three', () => {
  expect(configsOf(settings, 3).get('min.insync.replicas')).toBe('2')
  expect(configsOf(settings, 1).has('min.insync.replicas')).toBe(false)
})

it('accepts what it would have made', () => expect(differencesOf(topic(), spec)).toEqual([]))

it.each([
  ['cleanup.policy', 'compact,delete', 'cleanup compact,delete instead of delete'],
  ['retention.ms', '604800000', 'retentionMs 604800000 instead of -1'],
  ['message.timestamp.type', 'CreateTime', 'timestamps create instead of log-append'],
  ['max.message.bytes', '1048588', 'maxMessageBytes 1048588 instead of 1048576'],
  ['min.insync.replicas', '1', 'min.insync.replicas 1 instead of 2'],
  ['unclean.leader.election.enable', 'true', 'unclean.leader.election.enable true instead of false'],
])('names a %s of %s', (name, value, expected) => {
  expect(differencesOf(topic({ [name]: value }), spec)).toEqual([
    expect.stringContaining(`t has ${expected}`),
  ])
})

it('names partitions and replicas', () => {
  const wanted = { ...spec, partitions: 4, replicationFactor: 2 }
  expect(differencesOf(topic(), wanted)).toEqual([
    't has partitions 2 instead of 4',
    't has replicationFactor 3 instead of 2',
  ])
})

it('compares tombstone retention of compacted topics, and what was asked for by name', () => {
  const compacted: TopicSpec = { ...spec, settings: { ...settings, cleanup: 'compact' } }
  const existing = topic({ 'cleanup.policy': 'compact', 'delete.retention.ms': '9', 'retention.ms': '8' })
  expect(differencesOf(existing, compacted)).toEqual(['t has deleteRetentionMs 9 instead of 604800000'])
  const asked = { ...compacted, settings: { ...compacted.settings, retentionMs: 7, deleteRetentionMs: 9 } }
  expect(differencesOf(existing, asked)).toEqual(['t has retentionMs 8 instead of 7'])
})
