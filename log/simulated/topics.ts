/** The broker's topics. */
import type { TopicDescription, TopicPartition, TopicSpec } from '../index.ts'
import { assertNoDifferences, differencesOf, unknownTopic, withDefaults } from '../topic-settings.ts'
import type { Durability } from './durability.ts'
import { SimulatedPartition } from './partition.ts'

interface Topic {
  readonly description: TopicDescription
  readonly partitions: readonly SimulatedPartition[]
}

export class Topics {
  readonly #durability: Durability
  readonly #byName = new Map<string, Topic>()
  #ids = 0

  constructor(durability: Durability) {
    this.#durability = durability
  }

  describe(name: string): TopicDescription | undefined {
    return this.#byName.get(name)?.description
  }

  names(): string[] {
    return [...this.#byName.keys()]
  }

  partitionsOf(name: string): readonly SimulatedPartition[] {
    return this.#byName.get(name)?.partitions ?? []
  }

  /** Errors: LOG_UNKNOWN_TOPIC. */
  partition({ topic, partition }: TopicPartition): SimulatedPartition {
    const found = this.#byName.get(topic)?.partitions[partition]
    if (found === undefined) throw unknownTopic(`${topic}-${partition}`)
    return found
  }

  /** Errors: LOG_TOPIC_MISMATCH. */
  ensure(specs: readonly TopicSpec[]): void {
    const differences = specs.flatMap((spec) => {
      const existing = this.describe(spec.name)
      return existing === undefined ? [] : differencesOf(existing, spec)
    })
    assertNoDifferences(differences)
    for (const spec of specs) if (!this.#byName.has(spec.name)) this.#create(spec)
  }

  delete(name: string): void {
    const topic = this.#byName.get(name)
    if (topic === undefined) return
    this.#byName.delete(name)
    this.#durability.note(() => void this.#byName.set(name, topic))
  }

  #create({ name, partitions, settings }: TopicSpec): void {
    const topicId = `${name}#${++this.#ids}`
    const description = { name, topicId, partitions, settings: withDefaults(settings) }
    const made = Array.from(
      { length: partitions },
      (_, partition) => new SimulatedPartition(description, partition, this.#durability),
    )
    this.#byName.set(name, { description, partitions: made })
    this.#durability.note(() => void this.#byName.delete(name))
  }
}
