import { messageOf } from '#core'
import type { Logger } from '#core'
import { logError, partitionName } from '../index.ts'
import type { GroupMetadata, JoinOptions, MemberAssignment, Membership, TopicPartition } from '../index.ts'
import type { BrokerApi, GroupEvent, GroupReply } from './broker-api.ts'

/** A member's side: asks the coordinator for one event after the other and answers each when the listener is done. */
export class EmbeddedMembership implements Membership {
  readonly #broker: BrokerApi
  readonly #options: JoinOptions
  readonly #memberId: string
  readonly #logger: Logger
  readonly #onClosed: (membership: EmbeddedMembership) => void
  readonly #owned = new Map<string, TopicPartition>()
  #generation = -1
  readonly #following: Promise<void>
  #ended = false
  #leaving: Promise<void> | undefined

  constructor(options: {
    readonly broker: BrokerApi
    readonly memberId: string
    readonly join: JoinOptions
    readonly logger: Logger
    readonly onClosed: (membership: EmbeddedMembership) => void
  }) {
    this.#broker = options.broker
    this.#memberId = options.memberId
    this.#options = options.join
    this.#logger = options.logger
    this.#onClosed = options.onClosed
    this.#following = this.#follow()
  }

  metadata(): GroupMetadata {
    const { group, instanceId } = this.#options
    const known = { group, generation: this.#generation, memberId: this.#memberId }
    return instanceId === undefined ? known : { ...known, instanceId }
  }

  rebalance(): void {
    // A broker that is gone has no group to ask.
    this.#broker.rebalanceGroup(this.#memberId).catch(() => undefined)
  }

  async confirm(): Promise<boolean> {
    return !this.#ended && (await this.#broker.isMember(this.#memberId).catch(() => false))
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    // A broker that is gone has removed the member already.
    await this.#broker.leaveGroup(this.#memberId).catch(() => undefined)
    await this.#following
    this.#onClosed(this)
  }

  async #follow(): Promise<void> {
    let reply: GroupReply | undefined
    try {
      for (;;) {
        const event = await this.#broker.groupEvent(this.#memberId, reply)
        if (event.kind === 'end') break
        reply = await this.#answer(event)
      }
    } catch (error) {
      this.#logger.warn({ group: this.#options.group, error: messageOf(error) }, 'group.coordinator-gone')
    }
    this.#ended = true
    await this.#lose([...this.#owned.values()])
    if (this.#leaving === undefined) this.#options.listener.ended?.(this.#endError())
  }

  #endError(): Error {
    const { group } = this.#options
    const message = `The member ${this.#memberId} is not in group ${group} any more: it was replaced, or the log was closed.`
    return logError('LOG_FENCED', `${message} Join again.`)
  }

  async #answer(event: Exclude<GroupEvent, { kind: 'end' }>): Promise<GroupReply> {
    if ('generation' in event) this.#generation = event.generation
    switch (event.kind) {
      case 'subscription':
        return { userData: exact(this.#options.userData?.() ?? new Uint8Array()) }
      case 'assign':
        return this.#assign(event)
      case 'assigned':
        for (const partition of event.partitions) this.#owned.set(partitionName(partition), partition)
        await this.#listen('assigned', () =>
          this.#options.listener.assigned(event.partitions, event.userData),
        )
        break
      case 'revoked':
        await this.#revoke(event.partitions)
        break
      case 'lost':
        await this.#lose(event.partitions)
        break
    }
    return {}
  }

  #assign({ members, partitionCounts }: Extract<GroupEvent, { kind: 'assign' }>): GroupReply {
    try {
      const assignment = new Map<string, MemberAssignment>()
      for (const [memberId, { partitions, userData }] of this.#options.assignor(members, partitionCounts)) {
        const plain = partitions.map(({ topic, partition }) => ({ topic, partition }))
        assignment.set(memberId, { partitions: plain, userData: exact(userData) })
      }
      return { assignment }
    } catch (error) {
      return { failure: messageOf(error) }
    }
  }

  async #revoke(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    await this.#listen('revoked', () => this.#options.listener.revoked(partitions))
    for (const partition of partitions) this.#owned.delete(partitionName(partition))
  }

  async #lose(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    for (const partition of partitions) this.#owned.delete(partitionName(partition))
    await this.#listen('lost', () => this.#options.listener.lost(partitions))
  }

  /** A listener that fails must not stop the group: its partitions go on to the next owner. */
  async #listen(what: string, call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.#logger.error(
        { group: this.#options.group, callback: what, error: messageOf(error) },
        'group.listener-failed',
      )
    }
  }
}

/** A copy in an ArrayBuffer of its own: structured clone would copy all of a pooled one. */
function exact(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}
