/**
 * What topics are asked to be: for the drivers that keep their settings themselves, and the defaults also for Kafka's,
 * which must not be those of each broker.
 */
import type { MillraceError } from '#core'
import { logError } from './errors.ts'
import type { TopicDescription, TopicSettings, TopicSpec } from './log.ts'

const dayMs = 24 * 60 * 60 * 1000

/** What a topic has where nothing is asked for, on every log. */
export function withDefaults(settings: TopicSettings): Required<TopicSettings> {
  return {
    cleanup: settings.cleanup,
    retentionMs: settings.retentionMs ?? -1,
    timestamps: settings.timestamps ?? 'create',
    maxMessageBytes: settings.maxMessageBytes ?? 1 << 20,
    deleteRetentionMs: settings.deleteRetentionMs ?? 7 * dayMs,
  }
}

/** How an existing topic is not what is asked for, in words. */
export function differencesOf(existing: TopicDescription, spec: TopicSpec): string[] {
  const { name } = existing
  const differences: string[] = []
  if (existing.partitions !== spec.partitions) {
    differences.push(`${name} has ${existing.partitions} partitions, expected ${spec.partitions}`)
  }
  const wanted = withDefaults(spec.settings)
  for (const setting of Object.keys(wanted) as (keyof TopicSettings)[]) {
    const is = existing.settings[setting]
    if (is !== wanted[setting]) differences.push(`${name} has ${setting}=${is}, expected ${wanted[setting]}`)
  }
  return differences
}

/** Errors: LOG_TOPIC_MISMATCH when there are differences. */
export function assertNoDifferences(differences: readonly string[]): void {
  if (differences.length === 0) return
  throw logError(
    'LOG_TOPIC_MISMATCH',
    `Topics exist with other settings: ${differences.join('; ')}. Change the configuration, or use other topics.`,
    { context: { differences } },
  )
}

export function unknownTopic(what: string): MillraceError {
  return logError('LOG_UNKNOWN_TOPIC', `There is no topic ${what}. Create it, or correct its name.`)
}
