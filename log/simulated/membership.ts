import { isMillraceError } from '#core'
import type { MillraceError } from '#core'
import type { GroupMetadata, JoinOptions, Membership, TopicPartition } from '../index.ts'
import { named } from './groups.ts'
import type { HeartbeatReply } from './groups.ts'
import { isNoAnswer } from './network.ts'
import type { SimulatedLog } from './simulated-log.ts'

const defaultSessionTimeoutMs = 3_000
const notTold: HeartbeatReply = { epoch: 0, version: 0, partitions: [], userData: new Uint8Array() }

export class SimulatedMembership implements Membership {
  readonly #log: SimulatedLog
  readonly #options: JoinOptions
  readonly #nextMemberId: () => string
  #memberId: string
  readonly #sessionTimeoutMs: number
  #epoch = 0
  #sequence = 0
  #owned = new Map<string, TopicPartition>()
  #told: HeartbeatReply = notTold
  /** Of the member that it is, or was until it joins again. */
  #metadata: GroupMetadata
  /** The epoch whose assignment the listener has heard of. */
  #heard = 0
  #listening: Promise<void> | undefined
  #beating: Promise<void> | undefined
  #ended = false
  /** The coordinator does not know this member any more. */
  #isLost = false
  #kick = new AbortController()
  #leaving: Promise<void> | undefined

  constructor(log: SimulatedLog, options: JoinOptions, nextMemberId: () => string) {
    this.#log = log
    this.#options = options
    this.#nextMemberId = nextMemberId
    this.#memberId = nextMemberId()
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? defaultSessionTimeoutMs
    this.#metadata = this.#metadataOf(0)
  }

  metadata(): GroupMetadata {
    return this.#metadata
  }

  rebalance(): void {
    const { group } = this.#options
    // Without an answer the next reason for a round has to do.
    this.#log
      .call({ name: 'rebalance', topic: 'group' }, () =>
        this.#log.broker.groups.rebalance(group, this.#memberId),
      )
      .catch(() => undefined)
  }

  async confirm(): Promise<boolean> {
    const memberId = this.#memberId
    while (!this.#ended && !this.#isLost && memberId === this.#memberId) {
      try {
        this.#take(await this.#beat(false))
        return memberId === this.#memberId
      } catch (error) {
        if (isMillraceError(error, 'LOG_FENCED')) return false
        if (!isNoAnswer(error)) throw error
      }
    }
    return false
  }

  async join(): Promise<void> {
    this.#take(await this.#beat(true))
    this.#beating = this.#beatOn()
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    this.#ended = true
    this.#kick.abort()
    await this.#beating
    await this.#listening
    const owned = [...this.#owned.values()]
    if (owned.length > 0) await this.#options.listener.revoked(owned)
    this.#owned.clear()
    const { group } = this.#options
    // Without an answer the session runs out.
    await this.#log
      .retrying({ name: 'leave', topic: 'group' }, () => this.#log.broker.groups.leave(group, this.#memberId))
      .catch(() => undefined)
  }

  async #beatOn(): Promise<void> {
    while (!this.#ended) {
      await this.#log.sleep(this.#sessionTimeoutMs / 10, this.#kick.signal)
      if (this.#ended) return
      this.#kick = new AbortController()
      try {
        this.#take(await this.#beat(false))
      } catch (error) {
        if (isMillraceError(error, 'LOG_FENCED')) await this.#lose(error)
        else if (!isNoAnswer(error)) throw error
      }
    }
  }

  #beat(join: boolean): Promise<HeartbeatReply> {
    const { group, topics, assignor, instanceId } = this.#options
    const beat = {
      group,
      memberId: this.#memberId,
      instanceId,
      epoch: this.#epoch,
      sequence: ++this.#sequence,
      told: this.#told.version,
      topics,
      owned: [...this.#owned.values()],
      userData: Uint8Array.from(this.#options.userData?.() ?? []),
      assignor,
      sessionTimeoutMs: this.#sessionTimeoutMs,
    }
    const call = { name: join ? 'join' : 'heartbeat', topic: 'group' }
    const handle = (): HeartbeatReply => this.#log.broker.groups.heartbeat(beat)
    return join ? this.#log.retrying(call, handle) : this.#log.call(call, handle)
  }

  #take(reply: HeartbeatReply): void {
    if (this.#ended || this.#isLost || reply.version < this.#told.version) return
    this.#told = reply
    this.#epoch = reply.epoch
    this.#metadata = this.#metadataOf(reply.epoch)
    this.#listening ??= this.#listen().finally(() => {
      this.#listening = undefined
    })
  }

  /** Brings what the listener knows to what the coordinator told, one call at a time; heartbeats go on meanwhile. */
  async #listen(): Promise<void> {
    const { listener } = this.#options
    for (;;) {
      const told = this.#told
      const wanted = named(told.partitions)
      const surplus = [...this.#owned].filter(([name]) => !wanted.has(name)).map(([, partition]) => partition)
      const gained = [...wanted].filter(([name]) => !this.#owned.has(name)).map(([, partition]) => partition)
      if (surplus.length > 0) {
        await listener.revoked(surplus)
        for (const name of named(surplus).keys()) this.#owned.delete(name)
        this.#kick.abort()
      } else if (gained.length > 0 || told.epoch !== this.#heard) {
        this.#heard = told.epoch
        for (const [name, partition] of named(gained)) this.#owned.set(name, partition)
        await listener.assigned(gained, told.userData)
        this.#kick.abort()
      } else if (told === this.#told) {
        return
      }
      if (this.#ended || this.#isLost) return
    }
  }

  /** Not a member any more: joins again as another one, unless its place was taken by one with its instance id. */
  async #lose(fence: MillraceError): Promise<void> {
    const { listener } = this.#options
    this.#isLost = true
    await this.#listening
    const owned = [...this.#owned.values()]
    this.#owned.clear()
    await listener.lost(owned)
    if (this.#ended) return
    if (fence.context['replaced'] === true) {
      this.#ended = true
      listener.ended?.(fence)
      return
    }
    this.#epoch = 0
    this.#heard = 0
    this.#told = notTold
    while (!this.#ended) {
      this.#memberId = this.#nextMemberId()
      this.#sequence = 0
      try {
        const reply = await this.#beat(true)
        this.#isLost = false
        this.#take(reply)
        return
      } catch (error) {
        if (!isNoAnswer(error)) throw error
      }
    }
  }

  #metadataOf(generation: number): GroupMetadata {
    const { group, instanceId } = this.#options
    const known = { group, generation, memberId: this.#memberId }
    return instanceId === undefined ? known : { ...known, instanceId }
  }
}
