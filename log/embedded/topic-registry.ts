import { randomUUID } from 'node:crypto'
import type { RocksDatabase } from '#core'
import { logError } from '../index.ts'
import type { TopicDescription, TopicPartition, TopicSpec } from '../index.ts'
import { assertNoDifferences, differencesOf, unknownTopic, withDefaults } from '../topic-settings.ts'
import type { GroupCommit, WriteGroup } from './group-commit.ts'
import { keyTag, purgeKey, topicKey, topicOfKey, topicOfPurgeKey } from './keys.ts'
import { PartitionLog } from './partition-log.ts'

/** Kafka's rule for topic names. */
const legalName = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/
const partitionsMax = 10_000

export interface Topic {
  readonly description: TopicDescription
  readonly partitions: readonly PartitionLog[]
}

/** The topics of the log with their partitions, in memory and in RocksDB. */
export class TopicRegistry {
  readonly #database: RocksDatabase
  readonly #commit: GroupCommit
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<string, Topic>()
  /** Changes run one after the other, so that each sees what the one before did. */
  #changes: Promise<unknown> = Promise.resolve()

  constructor(database: RocksDatabase, commit: GroupCommit) {
    this.#database = database
    this.#commit = commit
  }

  /** Loads topics and partition states (no batches are read), and finishes deletions that a crash cut short. */
  async load(): Promise<void> {
    for (const [key, value] of this.#database.scan({
      gte: tagKey(keyTag.topic),
      lt: tagKey(keyTag.topic + 1),
    })) {
      const stored = JSON.parse(value.toString()) as Omit<TopicDescription, 'name'>
      this.#add({ name: topicOfKey(key), ...stored })
    }
    const unfinished = [
      ...this.#database.scan({ gte: tagKey(keyTag.purge), lt: tagKey(keyTag.purge + 1) }),
    ].map(([key]) => topicOfPurgeKey(key))
    for (const topicId of unfinished) await this.#purge(topicId)
  }

  all(): Iterable<Topic> {
    return this.#byName.values()
  }

  topic(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  /** Errors: LOG_UNKNOWN_TOPIC. */
  partition({ topic, partition }: TopicPartition): PartitionLog {
    const found = this.#byName.get(topic)?.partitions[partition]
    if (found === undefined) throw unknownTopic(`${topic}-${partition}`)
    return found
  }

  /** To append to. Errors: LOG_UNKNOWN_TOPIC, also when the topic was deleted (and created again). */
  partitionById(topicId: string, partition: number): PartitionLog {
    const found = this.#byId.get(topicId)?.partitions[partition]
    if (found === undefined || found.deleted)
      throw unknownTopic(`with id ${topicId}, partition ${partition},`)
    return found
  }

  ensure(specs: readonly TopicSpec[]): Promise<void> {
    return this.#change(async () => {
      const missing = new Map<string, TopicDescription>()
      const differences: string[] = []
      for (const spec of specs) {
        const wanted = describe(spec)
        const existing = this.#byName.get(spec.name)?.description ?? missing.get(spec.name)
        if (existing === undefined) missing.set(spec.name, wanted)
        else differences.push(...differencesOf(existing, spec))
      }
      assertNoDifferences(differences)
      if (missing.size === 0) return
      await this.#commit.stage(({ batch }) => {
        for (const { name, ...stored } of missing.values())
          batch.put(topicKey(name), Buffer.from(JSON.stringify(stored)))
        return () => {
          for (const description of missing.values()) this.#add(description)
        }
      })
    })
  }

  /** `also` adds to the write that deletes the topics; what it returns runs when that is durable. */
  delete(
    names: readonly string[],
    also: (group: WriteGroup, topic: Topic) => () => void,
  ): Promise<readonly Topic[]> {
    return this.#change(async () => {
      const topics = names.map((name) => this.#byName.get(name)).filter((topic) => topic !== undefined)
      await this.#commit.stage((group) => {
        const applied = topics.map((topic) => {
          group.batch.delete(topicKey(topic.description.name))
          group.batch.put(purgeKey(topic.description.topicId), Buffer.alloc(0))
          for (const partition of topic.partitions) {
            partition.deleted = true
            partition.deleteState(group.batch)
            group.touch(partition)
          }
          return also(group, topic)
        })
        return () => {
          for (const apply of applied) apply()
          for (const { description } of topics) {
            this.#byName.delete(description.name)
            this.#byId.delete(description.topicId)
          }
        }
      })
      for (const topic of topics) {
        for (const partition of topic.partitions) partition.tail.clear(partition.highWatermark)
        await this.#purge(topic.description.topicId)
      }
      return topics
    })
  }

  #change<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(change)
    this.#changes = result.catch(() => undefined)
    return result
  }

  #add(description: TopicDescription): void {
    const states = this.#database.getMany(PartitionLog.stateKeys(description))
    const partitions = states.map((state, index) => new PartitionLog(description, index, state))
    const topic: Topic = { description, partitions }
    this.#byName.set(description.name, topic)
    this.#byId.set(description.topicId, topic)
  }

  /** The marker goes last: a crash in between only repeats the deletion at the next start. */
  async #purge(topicId: string): Promise<void> {
    const first = new PartitionLog({ ...nowhere, topicId }, 0, undefined).range().gte
    const last = new PartitionLog({ ...nowhere, topicId }, partitionsMax, undefined).range().gte
    await this.#database.deleteRange({ gte: first, lt: last })
    const batch = this.#database.batch()
    batch.delete(purgeKey(topicId))
    this.#database.write(batch, { sync: false })
  }
}

const nowhere: TopicDescription = {
  name: '',
  topicId: '',
  partitions: 0,
  settings: withDefaults({ cleanup: 'delete' }),
}

function tagKey(tag: number): Buffer {
  return Buffer.from([tag])
}

function describe(spec: TopicSpec): TopicDescription {
  if (!legalName.test(spec.name)) {
    throw logError(
      'LOG_INVALID_REQUEST',
      `"${spec.name}" is no topic name. Use 1 to 249 of the characters a-z A-Z 0-9 . _ -`,
    )
  }
  if (!Number.isInteger(spec.partitions) || spec.partitions < 1 || spec.partitions > partitionsMax) {
    throw logError(
      'LOG_INVALID_REQUEST',
      `Topic ${spec.name} asks for ${spec.partitions} partitions. Use 1 to ${partitionsMax}.`,
    )
  }
  return {
    name: spec.name,
    topicId: randomUUID(),
    partitions: spec.partitions,
    settings: withDefaults(spec.settings),
  }
}
