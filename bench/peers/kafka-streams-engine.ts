/** The Kafka Streams peer as an engine. */
import { claimTopics } from '../engine/claims.ts'
import { workloadOf } from '../engine/workload.ts'
import type { Engine } from './engine.ts'
import { startKafkaStreams } from './kafka-streams.ts'
import type { KafkaStreamsOptions } from './kafka-streams.ts'

/** @param settings for instance the commit interval; the rest as in kafka-streams/README.md */
export function kafkaStreams(
  settings: Pick<KafkaStreamsOptions, 'threads' | 'commitIntervalMs' | 'settings'> = {},
): Engine {
  return {
    name: 'kafka-streams',
    async start({ brokers, workload: spec, stateDirectory }) {
      const { appId, inputTopic } = workloadOf(spec)
      const peer = await startKafkaStreams({
        brokers,
        applicationId: appId,
        work: spec.kind === 'claims' ? claimTopics(spec) : { puts: inputTopic },
        stateDirectory,
        ...settings,
      })
      let ending = false
      const failed = Promise.withResolvers<never>()
      failed.promise.catch(() => {})
      peer.ended.catch((error: unknown) => {
        if (!ending) failed.reject(error)
      })
      return {
        running: async () => void (await peer.running()),
        failed: failed.promise,
        usage: () => peer.usage(),
        footprint: () => peer.footprint(),
        restoreSeconds() {
          const begun = peer.events.filter(({ event }) => event === 'restore-start')
          const ended = peer.events.filter(({ event }) => event === 'restore-end')
          return (Math.max(...ended.map(({ at }) => at)) - Math.min(...begun.map(({ at }) => at))) / 1000
        },
        tasks: () => peer.tasks(),
        loseThread: () => peer.loseThread(),
        async stop() {
          ending = true
          await peer.stop()
        },
        kill() {
          ending = true
          return peer.kill()
        },
      }
    },
  }
}
