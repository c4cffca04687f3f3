import type { TopicDescription } from '../index.ts'
import type { BrokerApi } from './broker-api.ts'
import { unknownTopic } from '../topic-settings.ts'

/** A client's memory of the topics it uses. */
export class TopicDirectory {
  readonly #broker: BrokerApi
  readonly #known = new Map<string, TopicDescription>()

  constructor(broker: BrokerApi) {
    this.#broker = broker
  }

  known(name: string): TopicDescription | undefined {
    return this.#known.get(name)
  }

  /** Errors: LOG_UNKNOWN_TOPIC. */
  async lookUp(name: string): Promise<TopicDescription> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const found = (await this.#broker.describeTopics([name])).get(name)
    if (found === undefined) throw unknownTopic(name)
    this.#known.set(name, found)
    return found
  }

  /** The broker does not know it any more, or not like this. */
  forget(name: string): void {
    this.#known.delete(name)
  }
}
