import { messageOf } from '#core'
import type { Logger } from '#core'
import type { GroupMetadata, JoinOptions, Membership, TopicPartition } from '../index.ts'
import type { TopicDirectory } from './topic-directory.ts'

/** The only member has no generation and no id: its offsets are fenced by its transactional ids alone. */
const memberId = ''
const generation = -1

/**
 * A membership of one: all partitions of the topics, assigned once, for a single process that owns everything. It tells
 * the broker nothing, so a second one with the same group gets all partitions too; only the transactional ids tell them
 * apart.
 */
export class SoleMembership implements Membership {
  readonly #options: JoinOptions
  readonly #logger: Logger
  readonly #onClosed: (membership: SoleMembership) => void
  #owned: readonly TopicPartition[] = []
  #assigning: Promise<void> = Promise.resolve()
  #leaving: Promise<void> | undefined

  private constructor(options: JoinOptions, logger: Logger, onClosed: (membership: SoleMembership) => void) {
    this.#options = options
    this.#logger = logger
    this.#onClosed = onClosed
  }

  /** Errors: LOG_UNKNOWN_TOPIC, LOG_UNAVAILABLE. */
  static async join(
    options: JoinOptions,
    directory: TopicDirectory,
    logger: Logger,
    onClosed: (membership: SoleMembership) => void,
  ): Promise<SoleMembership> {
    const membership = new SoleMembership(options, logger, onClosed)
    const counts = new Map<string, number>()
    for (const topic of options.topics) counts.set(topic, (await directory.lookUp(topic)).partitions)
    membership.#assigning = membership.#assign(counts)
    return membership
  }

  metadata(): GroupMetadata {
    return { group: this.#options.group, generation, memberId }
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #assign(partitionCounts: ReadonlyMap<string, number>): Promise<void> {
    const { topics, assignor, listener } = this.#options
    const userData = this.#options.userData?.() ?? new Uint8Array()
    const assignments = assignor([{ memberId, topics, userData, owned: [] }], partitionCounts)
    const assignment = assignments.get(memberId)
    this.#owned = assignment?.partitions ?? []
    await this.#tell(() => listener.assigned(this.#owned, assignment?.userData ?? new Uint8Array()))
  }

  async #leave(): Promise<void> {
    await this.#assigning
    if (this.#owned.length > 0) await this.#tell(() => this.#options.listener.revoked(this.#owned))
    this.#owned = []
    this.#onClosed(this)
  }

  /** A listener that fails is its owner's affair; the membership goes on. */
  async #tell(call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.#logger.error({ error, group: this.#options.group }, `group listener failed: ${messageOf(error)}`)
    }
  }
}
