import type { TopicSettings } from './log.ts'

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
