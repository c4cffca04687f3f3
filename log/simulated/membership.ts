import { isMillraceError } from '#core'
import type { GroupMetadata, JoinOptions, Membership, TopicPartition } from '../index.ts'
import { named } from './groups.ts'
import type { HeartbeatReply } from './groups.ts'
import { isNoAnswer } from './network.ts'
import type { SimulatedLog } from './simulated-log.ts'

const defaultSessionTimeoutMs = 3_000

export class SimulatedMembership implements Membership {
  readonly #log: SimulatedLog
  readonly #options: JoinOptions
  readonly #memberId: string
  readonly #sessionTimeoutMs: number
  #epoch = 0
  #sequence = 0
  #owned = new Map<string, TopicPartition>()
  #told: HeartbeatReply = { epoch: 0, version: 0, partitions: [], userData: new Uint8Array() }
  /** The epoch whose assignment the listener has heard of. */
  #heard = 0
  #listening: Promise<void> | undefined
  #beating: Promise<void> | undefined
  #ended = false
  #kick = new AbortController()
  #leaving: Promise<void> | undefined

  constructor(log: SimulatedLog, options: JoinOptions, memberId: string) {
    this.#log = log
    this.#options = options
    this.#memberId = memberId
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? defaultSessionTimeoutMs
  }

  metadata(): GroupMetadata {
    const { group, instanceId } = this.#options
    const known = { group, generation: this.#epoch, memberId: this.#memberId }
    return instanceId === undefined ? known : { ...known, instanceId }
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
        if (isMillraceError(error, 'LOG_FENCED')) return this.#lose()
        if (!isNoAnswer(error)) throw error
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
    if (this.#ended || reply.version < this.#told.version) return
    this.#epoch = reply.epoch
    this.#told = reply
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
      if (this.#ended) return
    }
  }

  async #lose(): Promise<void> {
    this.#ended = true
    const owned = [...this.#owned.values()]
    this.#owned.clear()
    await this.#options.listener.lost(owned)
  }
}
