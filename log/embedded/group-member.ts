import type { TopicPartition } from '../index.ts'
import type { GroupEvent, GroupReply } from './broker-api.ts'

interface Sent {
  readonly event: GroupEvent
  resolve(reply: GroupReply | undefined): void
}

/** One member as the coordinator sees it: what it owns, and the events it has still to answer, one at a time. */
export class GroupMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly topics: readonly string[]
  /** The session it lives and dies with. */
  readonly session: object
  userData: Uint8Array = new Uint8Array()
  /** By `partitionName`: what it owns, from when it is told until it answered `revoked` or `lost`. */
  readonly owned = new Map<string, TopicPartition>()
  /** By `partitionName`: what it was told to give back, and has not answered yet. */
  readonly revoking = new Set<string>()
  /** It leaves: it is told nothing new. */
  leaving = false
  gone = false
  /** The generation it acknowledged, and the one it was told last. */
  #acknowledged = -1
  #told = -1
  readonly #events: Sent[] = []
  #current: Sent | undefined
  #asking: ((event: GroupEvent) => void) | undefined

  constructor(options: {
    readonly memberId: string
    readonly instanceId: string | undefined
    readonly topics: readonly string[]
    readonly session: object
  }) {
    this.memberId = options.memberId
    this.instanceId = options.instanceId
    this.topics = options.topics
    this.session = options.session
  }

  /** While an event is under way the member may already speak for the new generation, or still for the old one. */
  speaksFor(generation: number): boolean {
    return generation >= 0 && (generation === this.#acknowledged || generation === this.#told)
  }

  /** Resolves with the member's answer; undefined when it is gone before it answered. */
  tell(event: GroupEvent): Promise<GroupReply | undefined> {
    if (this.gone) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#events.push({ event, resolve })
      this.#deliver()
    })
  }

  /** The client answers the event it has and asks for the next one. */
  next(reply: GroupReply | undefined): Promise<GroupEvent> {
    const answered = this.#current
    if (answered !== undefined) {
      this.#current = undefined
      if ('generation' in answered.event) this.#acknowledged = answered.event.generation
      answered.resolve(reply ?? {})
    }
    if (this.gone) return Promise.resolve({ kind: 'end' })
    return new Promise((resolve) => {
      this.#asking = resolve
      this.#deliver()
    })
  }

  /** Nothing it says counts from now on. */
  end(): void {
    this.gone = true
    this.owned.clear()
    this.#current?.resolve(undefined)
    this.#current = undefined
    for (const sent of this.#events.splice(0)) sent.resolve(undefined)
    this.#asking?.({ kind: 'end' })
    this.#asking = undefined
  }

  #deliver(): void {
    if (this.#asking === undefined || this.#current !== undefined) return
    const sent = this.#events.shift()
    if (sent === undefined) return
    this.#current = sent
    if ('generation' in sent.event) this.#told = sent.event.generation
    const asking = this.#asking
    this.#asking = undefined
    asking(sent.event)
  }
}
