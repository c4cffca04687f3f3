/** The broker's topics. */
import { logError } from '../index.ts'
import type { TopicDescription, TopicPartition, TopicSettings, TopicSpec } from '../index.ts'
import { withDefaults } from '../topic-settings.ts'
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
    if (differences.length > 0) {
      throw logError(
        'LOG_TOPIC_MISMATCH',
        `Topics exist with other settings: ${differences.join('; ')}. Change the configuration, or use other topics.`,
        { context: { differences } },
      )
    }
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

function differencesOf(existing: TopicDescription, spec: TopicSpec): string[] {
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

export function unknownTopic(what: string): Error {
  return logError('LOG_UNKNOWN_TOPIC', `There is no topic ${what}. Create it with ensureTopics first.`)
}
