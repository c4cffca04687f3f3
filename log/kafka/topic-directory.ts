import { isMillraceError } from '#core'
import { unknownTopic } from '../topic-settings.ts'
import { brokerError, code, isRetriable } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { NoAnswer } from './no-answer.ts'
import { describeConfigs } from './protocol/describe-configs.ts'

/** What a writer needs to know of a topic. */
export interface WritableTopic {
  readonly name: string
  readonly partitions: number
  /** Largest batch that the topic takes, bytes. */
  readonly maxMessageBytes: number
}

/** Kafka's own default, for users who may write to a topic but not read its settings. */
const usualMaxMessageBytes = 1_048_588

/** Topics that were written to, kept until told to forget. */
export class TopicDirectory {
  readonly #cluster: Cluster
  readonly #topics = new Map<string, WritableTopic>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  known(name: string): WritableTopic | undefined {
    return this.#topics.get(name)
  }

  forget(name: string): void {
    this.#topics.delete(name)
  }

  /** Errors: LOG_UNKNOWN_TOPIC, LOG_UNAVAILABLE. */
  async lookUp(name: string): Promise<WritableTopic> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const topic = await this.#cluster.patiently(`topic ${name}`, async () => {
      const found = await this.#cluster.topic(name)
      if (found === undefined) return undefined
      return { name, partitions: found.partitions.length, maxMessageBytes: await this.#maxMessageBytes(name) }
    })
    if (topic === undefined) throw unknownTopic(name)
    this.#topics.set(name, topic)
    return topic
  }

  async #maxMessageBytes(name: string): Promise<number> {
    try {
      const names = ['max.message.bytes']
      const [described] = await this.#cluster.any(describeConfigs, { topics: [name], names })
      if (described === undefined || isRetriable(described.code))
        throw new NoAnswer(`The settings of ${name} are not to be had now.`, true)
      if (described.code !== code.none) throw brokerError(described.code, `settings of topic ${name}`)
      return Number(described.configs.get('max.message.bytes'))
    } catch (error) {
      if (isMillraceError(error, 'LOG_UNAUTHORIZED')) return usualMaxMessageBytes
      throw error
    }
  }
}
