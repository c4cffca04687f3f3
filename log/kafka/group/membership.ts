/**
 * A member of a group by the classic protocol (KIP-62) with cooperative rebalancing (KIP-429): what stays with its
 * owner is worked on without a pause while the group agrees on the rest.
 *
 * One loop joins, learns its share, tells the listener and waits for the next reason to join. Commits go on meanwhile:
 * a member answers for its partitions until it has given them back, and gives them back before it joins again.
 */
import type { ConnectionOptions } from '@platformatic/kafka'
import { invariant, messageOf, orAborted } from '#core'
import type { Logger } from '#core'
import { logError, partitionName } from '../../index.ts'
import type { GroupMetadata, JoinOptions, MemberAssignment, Membership, TopicPartition } from '../../index.ts'
import type { BrokerAddress } from '../broker-connection.ts'
import { brokerError, code, isCoordinatorMoved, isRetriable, nameOfCode } from '../broker-errors.ts'
import type { Cluster } from '../cluster.ts'
import { Connections } from '../connections.ts'
import { NoAnswer, unavailable } from '../no-answer.ts'
import { heartbeat, joinGroup, leaveGroup, syncGroup } from '../protocol/group-members.ts'
import type { JoinGroupAnswer } from '../protocol/group-members.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from './consumer-protocol.ts'
import type { Assignment } from './consumer-protocol.ts'
import { GroupCoordinator } from './coordinator.ts'
import { Heartbeats } from './heartbeats.ts'
import { assignmentsOf, unchanged } from './leader.ts'
import { mayBecome } from './member-states.ts'
import type { MemberState } from './member-states.ts'

/** The smallest that brokers take by default (`group.min.session.timeout.ms`): a crash is noticed after it. */
const defaultSessionTimeoutMs = 6000
/** How long the others wait for a member that has to commit and give back first; longer than any transaction. */
const rebalanceTimeoutMs = 30_000
/** How long leaving waits for a round that is under way, and then for the coordinator. */
const leaveMs = 2000
/** How long the last word may take when the log is closed already. */
const lastWordMs = 1000
/** How often the leader looks whether topics have grown. */
const growthMs = 10_000

/** `consumer` is what Kafka's tools know how to read. */
const protocol = { protocolType: 'consumer', protocolName: 'millrace' }

/** Why the member cannot stay as it is; a later kind wins over an earlier. */
interface Summons {
  readonly kind: 'rebalance' | 'lost' | 'ended' | 'leave'
  readonly why: string
  readonly error?: Error
}

const gravity = { rebalance: 0, lost: 1, ended: 2, leave: 3 } as const

/**
 * What a heartbeat is answered when only a request to join can tell more. FENCED_INSTANCE_ID among them: Kafka 4.2 was
 * seen to answer it just after a restart, to members that its log and the next who joined had in the group.
 */
const asksToJoin: ReadonlySet<number> = new Set([
  code.rebalanceInProgress,
  code.illegalGeneration,
  code.fencedInstanceId,
])

export interface MembershipParts {
  readonly cluster: Cluster
  /** For the heartbeat thread, which has connections of its own. */
  readonly connection: ConnectionOptions
  readonly join: JoinOptions
  readonly onClosed: (membership: KafkaMembership) => void
}

export class KafkaMembership implements Membership {
  readonly #cluster: Cluster
  readonly #options: JoinOptions
  readonly #logger: Logger
  readonly #sessionTimeoutMs: number
  readonly #onClosed: (membership: KafkaMembership) => void
  readonly #coordinator: GroupCoordinator
  readonly #heartbeats: Heartbeats
  readonly #connection: ConnectionOptions
  /** Where the coordinator was found last. */
  #foundAt: BrokerAddress | undefined
  #state: MemberState = 'unjoined'
  /** Empty: the coordinator gives the next one. */
  #memberId = ''
  /** As whom it has finished a round: from then on the coordinator has it in its log. */
  #syncedAs = ''
  #metadata: GroupMetadata
  readonly #owned = new Map<string, TopicPartition>()
  /** In which it was told what it owns. */
  #ownedGeneration = -1
  #leads = false
  /** What the leader has shared out, or found when it came back to a group that keeps its shares. */
  #counts: ReadonlyMap<string, number> | undefined
  #summons: Summons | undefined
  #woken = new AbortController()
  /** Aborted when it leaves. */
  readonly #ending = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  /** Of the JoinGroup under way. */
  #joining: Promise<unknown> | undefined
  #locating = false
  #running: Promise<void> = Promise.resolve()
  #leaving: Promise<void> | undefined

  constructor({ cluster, connection, join, onClosed }: MembershipParts) {
    this.#cluster = cluster
    this.#options = join
    this.#logger = cluster.logger.child({ group: join.group })
    this.#sessionTimeoutMs = join.sessionTimeoutMs ?? defaultSessionTimeoutMs
    this.#onClosed = onClosed
    this.#connection = connection
    this.#metadata = this.#metadataOf('', -1)
    this.#coordinator = new GroupCoordinator(cluster, join.group, rebalanceTimeoutMs)
    this.#heartbeats = new Heartbeats({
      connection,
      timeoutMs: this.#sessionTimeoutMs / 3,
      clock: cluster.clock,
      logger: this.#logger,
      onNews: (answered) => this.#heard(answered),
      ask: async (request) => (await this.#coordinator.ask(heartbeat, request)).code,
    })
  }

  /** Errors: LOG_UNAVAILABLE, LOG_UNAUTHORIZED, LOG_INVALID_REQUEST; LOG_CLOSED when it leaves meanwhile. */
  async join(): Promise<void> {
    this.#running = this.#run()
    try {
      await this.#first.promise
    } catch (error) {
      await this.leave()
      throw error
    }
  }

  metadata(): GroupMetadata {
    return this.#metadata
  }

  rebalance(): void {
    this.#summon({ kind: 'rebalance', why: 'the member asks for it' })
  }

  async confirm(): Promise<boolean> {
    const backoff = this.#cluster.backoff(Infinity)
    const { memberId } = this.#metadata
    do {
      if (this.#isGone(memberId)) return false
      try {
        const { generation } = this.#metadata
        const { group, instanceId } = this.#options
        const answer = await this.#coordinator.ask(heartbeat, { group, generation, memberId, instanceId })
        if (this.#isGone(memberId)) return false
        if (generation !== this.#metadata.generation) continue
        if (answer.code === code.fencedInstanceId) {
          // What it is answered to a request to join tells.
          this.#heard(answer.code)
          continue
        }
        if (answer.code !== code.illegalGeneration) {
          this.#heard(answer.code)
          // While it joins, the answer to that tells the listener.
          return !this.#isForgotten(answer.code) && !this.#isGone(memberId)
        }
        if (this.#joining === undefined) {
          // A coordinator that has forgotten this generation, which can be none that this member works in.
          this.#summon({ kind: 'lost', why: 'its generation is not known any more' })
          return false
        }
        // The next generation is there, and the answer that says so is on its way.
        await this.#joining
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
      }
    } while (await backoff.wait())
    return false
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  // -------------------------------------------------------------------------------------------------------- rounds

  async #run(): Promise<void> {
    try {
      for (let why: string | undefined = 'it is new'; why !== undefined; why = await this.#next()) {
        const assignment = await this.#round(why)
        if (assignment !== undefined) await this.#take(assignment)
      }
    } catch (error) {
      await this.#end(error instanceof Error ? error : new Error(messageOf(error)))
    }
  }

  /** Waits until there is a reason for another round, and says which; undefined when there will be none. */
  async #next(): Promise<string | undefined> {
    while (this.#summons === undefined) await this.#untilSummoned()
    const { kind, why, error } = this.#summons
    if (kind === 'leave') return undefined
    if (kind === 'ended') throw error ?? new Error(why)
    this.#summons = undefined
    this.#woken = new AbortController()
    if (kind === 'lost') await this.#lose(why)
    return why
  }

  async #untilSummoned(): Promise<void> {
    const { signal } = this.#woken
    if (!this.#leads) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      return
    }
    // Brokers that do not answer must not hold up the next round.
    this.#counts ??= await orAborted(signal, this.#partitionCounts(this.#options.topics))
    await this.#cluster.clock.sleep(growthMs, signal)
    if (!signal.aborted && (await orAborted(signal, this.#haveGrown())))
      this.#summon({ kind: 'rebalance', why: 'topics have grown' })
  }

  async #round(why: string): Promise<Assignment | undefined> {
    this.#become('joining', why)
    const joining = this.#join(why)
    this.#joining = joining
    const joined = await joining.finally(() => (this.#joining = undefined))
    if (joined === undefined) return undefined
    this.#become('syncing', joined.leader === joined.memberId ? 'it leads' : `${joined.leader} leads`)
    return this.#sync(joined)
  }

  /** Undefined when it was given up: a summons says why. */
  async #join(reason: string): Promise<JoinGroupAnswer | undefined> {
    const { group, topics, instanceId } = this.#options
    const isFirst = this.#metadata.generation < 0
    const backoff = this.#cluster.backoff(isFirst ? this.#cluster.patienceMs : Infinity)
    let failure: unknown
    let wasFenced = false
    do {
      if (this.#isLeaving()) return undefined
      try {
        const userData = this.#options.userData?.() ?? new Uint8Array()
        const owned = [...this.#owned.values()]
        const answer = await this.#coordinator.await(joinGroup, {
          group,
          sessionTimeoutMs: this.#sessionTimeoutMs,
          rebalanceTimeoutMs,
          memberId: this.#memberId,
          instanceId,
          ...protocol,
          subscription: encodeSubscription({ topics, userData, owned, generation: this.#ownedGeneration }),
          reason,
        })
        if (answer.code === code.none) return this.#adopt(answer)
        if (answer.code === code.memberIdRequired) {
          this.#memberId = answer.memberId
          backoff.restart()
          continue
        }
        if (this.#isForgotten(answer.code)) {
          this.#summon({ kind: 'lost', why: 'the group does not know it any more' })
          return undefined
        }
        // Under an instance id the last request without a member id counts. That may be an earlier one of ours which
        // came late, and has nobody behind it. Two that fight for the id refuse each other, and one of them goes first.
        if (answer.code === code.fencedInstanceId && this.#memberId === '' && !wasFenced) wasFenced = true
        else if (answer.code !== code.rebalanceInProgress) throw this.#refused(answer.code)
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        failure = error
      }
    } while (await backoff.wait())
    if (this.#isLeaving()) return undefined
    throw unavailable(`group ${group}`, failure)
  }

  #adopt(answer: JoinGroupAnswer): JoinGroupAnswer {
    this.#memberId = answer.memberId
    this.#metadata = this.#metadataOf(answer.memberId, answer.generation)
    void this.#beat().then((isFound) => (isFound ? undefined : this.#locate()))
    this.#first.resolve()
    return answer
  }

  async #sync(joined: JoinGroupAnswer): Promise<Assignment | undefined> {
    const { group, instanceId } = this.#options
    const { generation, memberId } = joined
    const leads = joined.leader === memberId
    this.#leads = leads
    if (!leads) this.#counts = undefined
    const assignments = leads && !joined.skipAssignment ? await this.#assign(joined) : []
    const backoff = this.#cluster.backoff(Infinity)
    do {
      if (this.#isLeaving()) return undefined
      try {
        const request = { group, generation, memberId, instanceId, ...protocol, assignments }
        const answer = await this.#coordinator.await(syncGroup, request)
        if (answer.code === code.none) {
          this.#syncedAs = memberId
          return decodeAssignment(answer.assignment)
        }
        if (answer.code === code.rebalanceInProgress || answer.code === code.illegalGeneration) {
          this.#summon({ kind: 'rebalance', why: 'the next generation has begun' })
          return undefined
        }
        if (!this.#isForgotten(answer.code)) throw this.#refused(answer.code)
        this.#summon({ kind: 'lost', why: 'the group does not know it any more' })
        return undefined
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
      }
    } while (await backoff.wait())
    return undefined
  }

  async #assign({
    members,
  }: JoinGroupAnswer): Promise<readonly { readonly memberId: string; readonly assignment: Buffer }[]> {
    const subscribed = members.map(({ memberId, subscription }) => ({
      memberId,
      ...decodeSubscription(subscription),
    }))
    const topics = [...new Set(subscribed.flatMap((member) => member.topics))]
    const counts = await orAborted(this.#ending.signal, this.#partitionCounts(topics))
    // It leaves, and shares nothing out any more.
    if (counts === undefined) return []
    this.#counts = counts
    let shares: ReadonlyMap<string, MemberAssignment>
    try {
      shares = assignmentsOf(subscribed, counts, this.#options.assignor)
    } catch (error) {
      this.#logger.error({ error }, `assignor failed, everybody keeps what it has: ${messageOf(error)}`)
      shares = unchanged(subscribed)
    }
    return [...shares].map(([memberId, share]) => ({ memberId, assignment: encodeAssignment(share) }))
  }

  /** Of the topics that exist; as last heard when brokers do not answer. */
  async #partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    try {
      await this.#cluster.refresh(topics)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
    }
    for (const topic of topics) {
      const known = this.#cluster.known(topic)
      if (known !== undefined) counts.set(topic, known.partitions.length)
    }
    return counts
  }

  async #haveGrown(): Promise<boolean> {
    const before = this.#counts
    if (before === undefined) return false
    const now = await this.#partitionCounts(this.#options.topics)
    return [...now].some(([topic, count]) => count !== before.get(topic))
  }

  // ------------------------------------------------------------------------------------------------------ listener

  async #take({ partitions, userData }: Assignment): Promise<void> {
    const wanted = new Map(partitions.map((partition) => [partitionName(partition), partition]))
    const gained = [...wanted].filter(([name]) => !this.#owned.has(name))
    const surplus = [...this.#owned].filter(([name]) => !wanted.has(name))
    this.#ownedGeneration = this.#metadata.generation
    for (const [name, partition] of gained) this.#owned.set(name, partition)
    this.#become('stable', `${partitions.length} partitions, ${gained.length} of them new`)
    const { listener } = this.#options
    await this.#tell('assigned', () =>
      listener.assigned(
        gained.map(([, partition]) => partition),
        userData,
      ),
    )
    if (surplus.length === 0 || this.#summons?.kind === 'lost') return
    this.#become('revoking', `${surplus.length} partitions go to others`)
    await this.#tell('revoked', () => listener.revoked(surplus.map(([, partition]) => partition)))
    for (const [name] of surplus) this.#owned.delete(name)
    this.#summon({ kind: 'rebalance', why: 'it has given partitions back' })
  }

  async #lose(why: string): Promise<void> {
    this.#become('lost', why)
    this.#heartbeats.rest()
    this.#memberId = ''
    const lost = [...this.#owned.values()]
    this.#owned.clear()
    if (lost.length > 0) await this.#tell('lost', () => this.#options.listener.lost(lost))
  }

  async #end(error: Error): Promise<void> {
    await this.#lose(error.message)
    this.#become('failed', error.message)
    this.#first.reject(error)
    this.#options.listener.ended?.(error)
  }

  /** A listener that fails is its owner's affair; the membership goes on. */
  async #tell(what: string, call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.#logger.error({ error, callback: what }, `group listener failed: ${messageOf(error)}`)
    }
  }

  // --------------------------------------------------------------------------------------------------------- alive

  /** What the coordinator says to a heartbeat; undefined when it says nothing. */
  #heard(answered: number | undefined): void {
    if (answered === undefined || isCoordinatorMoved(answered)) {
      this.#coordinator.forget()
      // Whoever waits there for the others may wait in vain.
      if (this.#joining !== undefined || this.#state === 'syncing') void this.#coordinator.cut()
      void this.#locate()
      return
    }
    if (answered === code.none || isRetriable(answered)) return
    if (this.#isForgotten(answered)) {
      if (this.#joining === undefined) this.#summon({ kind: 'lost', why: 'its session has run out' })
    } else if (asksToJoin.has(answered)) {
      if (this.#joining === undefined && this.#state !== 'syncing')
        this.#summon({ kind: 'rebalance', why: `the group asks for it (${nameOfCode(answered)})` })
    } else this.#summon({ kind: 'ended', why: nameOfCode(answered), error: this.#refused(answered) })
  }

  /** Looks for the coordinator until it is found, then has heartbeats of the newest generation sent there. */
  async #locate(): Promise<void> {
    if (this.#locating) return
    this.#locating = true
    const backoff = this.#cluster.backoff(Infinity)
    while (!(await this.#beat()) && this.#state !== 'left' && (await backoff.wait()));
    this.#locating = false
  }

  /** False when the coordinator is not to be found now. */
  async #beat(): Promise<boolean> {
    const { group, instanceId } = this.#options
    try {
      const address = await this.#coordinator.address()
      this.#foundAt = address
      const { generation, memberId } = this.#metadata
      if (this.#memberId === memberId && this.#state !== 'left')
        this.#heartbeats.beat(address, { group, generation, memberId, instanceId })
      return true
    } catch {
      return false
    }
  }

  // ----------------------------------------------------------------------------------------------------- the end

  async #leave(): Promise<void> {
    this.#ending.abort()
    this.#summon({ kind: 'leave', why: 'it leaves' })
    this.#first.reject(logError('LOG_CLOSED', 'The log was closed. Open it again.'))
    const inTime = new AbortController()
    await Promise.race([this.#running, this.#cluster.clock.sleep(leaveMs, inTime.signal)])
    inTime.abort()
    await this.#coordinator.cut()
    await this.#running
    this.#become('leaving', 'it leaves')
    const owned = [...this.#owned.values()]
    if (owned.length > 0) await this.#tell('revoked', () => this.#options.listener.revoked(owned))
    this.#owned.clear()
    await this.#heartbeats.close()
    if (this.#memberId !== '') await this.#sayGoodbye()
    await this.#coordinator.close()
    this.#become('left', 'it leaves')
    this.#onClosed(this)
  }

  /** Without an answer the session runs out. */
  async #sayGoodbye(): Promise<void> {
    const { group, instanceId } = this.#options
    const backoff = this.#cluster.backoff(leaveMs)
    const request = { group, memberId: this.#memberId, instanceId, reason: 'the member leaves' }
    const inTime = new AbortController()
    let isSaid = false
    const goodbye = async (): Promise<void> => {
      do {
        try {
          await this.#coordinator.ask(leaveGroup, request)
          isSaid = true
          break
        } catch (error) {
          if (!(error instanceof NoAnswer)) break
        }
      } while (await backoff.wait())
      inTime.abort()
    }
    await Promise.race([goodbye(), this.#cluster.clock.sleep(leaveMs, inTime.signal)])
    if (!isSaid && this.#cluster.isStopped) await this.#sayLastWord(request)
  }

  /**
   * A stop that takes too long closes the log under us, because one transaction hangs for instance. The others need not
   * wait for our session all the same.
   */
  async #sayLastWord(request: Parameters<typeof leaveGroup.encode>[1]): Promise<void> {
    if (this.#foundAt === undefined) return
    const limits = { connectTimeout: lastWordMs, requestTimeout: lastWordMs }
    const connections = new Connections({ ...this.#connection, ...limits })
    try {
      const answer = await (await connections.to(this.#foundAt)).request(leaveGroup, request)
      if (answer.code !== code.none) throw this.#refused(answer.code)
    } catch (error) {
      this.#logger.debug({ error }, 'the group could not be told, our session runs out')
    } finally {
      await connections.close()
    }
  }

  #summon(summons: Summons): void {
    if (this.#summons !== undefined && gravity[summons.kind] <= gravity[this.#summons.kind]) return
    this.#summons = summons
    this.#woken.abort()
  }

  #isLeaving(): boolean {
    return this.#summons?.kind === 'leave'
  }

  /** True when that member is not in the group any more, as far as is known here. */
  #isGone(memberId: string): boolean {
    const kind = this.#summons?.kind
    return kind === 'lost' || kind === 'ended' || this.#memberId !== memberId || this.#state === 'left'
  }

  /**
   * A coordinator that dies in a round comes back with the members of the round before: under our instance id it then
   * knows the member that we were, and takes the one that we are for another.
   */
  #isForgotten(answered: number): boolean {
    if (answered === code.unknownMemberId) return true
    return answered === code.fencedInstanceId && this.#memberId !== this.#syncedAs
  }

  #refused(answered: number): Error {
    const { group, instanceId } = this.#options
    const cause = brokerError(answered, `group ${group}`)
    if (answered !== code.fencedInstanceId) return cause
    const message = `Another member of ${group} has the instance id ${instanceId}. Give each process one of its own.`
    return logError('LOG_FENCED', message, { cause })
  }

  #metadataOf(memberId: string, generation: number): GroupMetadata {
    const { group, instanceId } = this.#options
    const known = { group, generation, memberId }
    return instanceId === undefined ? known : { ...known, instanceId }
  }

  #become(state: MemberState, why: string): void {
    invariant(mayBecome(this.#state, state), `a member does not go from ${this.#state} to ${state}`)
    const { generation } = this.#metadata
    this.#logger.info(
      { from: this.#state, to: state, why, generation, memberId: this.#memberId },
      'group member state changed',
    )
    this.#state = state
  }
}
