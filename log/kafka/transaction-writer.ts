/** Sends the records and offsets of one transaction, retrying what may be retried. */
import { isMillraceError, messageOf } from '#core'
import { batchAttribute, batchField, logError, partitionName } from '../index.ts'
import type { TopicPartition, TransactionRequest } from '../index.ts'
import { fittingBatches } from '../fitting-batches.ts'
import { unknownTopic } from '../topic-settings.ts'
import type { Backoff } from './backoff.ts'
import { brokerError, code } from './broker-errors.ts'
import { addressName } from './broker-connection.ts'
import type { BrokerAddress } from './broker-connection.ts'
import type { Cluster } from './cluster.ts'
import type { Connections } from './connections.ts'
import { NoAnswer, outward } from './no-answer.ts'
import { describeGroup } from './protocol/group-members.ts'
import { txnOffsetCommit } from './protocol/group-offsets.ts'
import { produce, replicationTimeoutMs } from './protocol/produce.ts'
import type { ProducedPartition } from './protocol/produce.ts'
import { sequenceAfter, stamp } from './stamp.ts'
import type { TopicDirectory } from './topic-directory.ts'
import type { TransactionCoordinator } from './transaction-coordinator.ts'
import { asError } from './transaction-coordinator.ts'
import { sendVerdict } from './transaction-errors.ts'

/** Why it cannot be committed. Nothing of it is. */
export interface SendFailure {
  readonly kind: 'abort' | 'fenced' | 'ask'
  readonly error: Error
}

/** Batches of one partition, in order; the first is sent next. */
export interface PartitionWrites extends TopicPartition {
  readonly batches: { readonly bytes: Buffer; readonly append: number; readonly sequence: number }[]
}

export class TransactionWriter {
  readonly #cluster: Cluster
  readonly #connections: Connections
  readonly #topics: TopicDirectory
  readonly #coordinator: TransactionCoordinator
  readonly #requestTimeoutMs: number
  readonly #transactionalId: string

  constructor(options: {
    readonly cluster: Cluster
    readonly connections: Connections
    readonly topics: TopicDirectory
    readonly coordinator: TransactionCoordinator
    readonly requestTimeoutMs: number
    readonly transactionalId: string
  }) {
    this.#cluster = options.cluster
    this.#connections = options.connections
    this.#topics = options.topics
    this.#coordinator = options.coordinator
    this.#requestTimeoutMs = options.requestTimeoutMs
    this.#transactionalId = options.transactionalId
  }

  /** Encodes before anything is sent. Sequences begin at 0: each transaction has an epoch of its own. Errors: the port's. */
  async plan({ appends }: TransactionRequest): Promise<PartitionWrites[]> {
    const writes = new Map<string, PartitionWrites>()
    for (const [append, { topic, partition, records }] of appends.entries()) {
      const { partitions, maxMessageBytes } = await this.#topics.lookUp(topic)
      if (partition >= partitions) throw unknownTopic(`${topic}-${partition}`)
      const name = partitionName({ topic, partition })
      let write = writes.get(name)
      if (write === undefined) writes.set(name, (write = { topic, partition, batches: [] }))
      for (const bytes of fittingBatches(records, maxMessageBytes, topic)) {
        const before = write.batches.at(-1)
        const sequence =
          before === undefined
            ? 0
            : sequenceAfter(before.sequence, before.bytes.readInt32BE(batchField.count))
        write.batches.push({ bytes, append, sequence })
      }
    }
    return [...writes.values()].filter(({ batches }) => batches.length > 0)
  }

  /**
   * Produces what was planned, one batch a partition at a time. Sets `ends` (by append) to the offsets after it.
   * Never throws.
   */
  async produce(
    writes: readonly PartitionWrites[],
    ends: number[],
    backoff: Backoff,
  ): Promise<SendFailure | undefined> {
    const { producer } = this.#coordinator
    for (const { batches } of writes) {
      for (const { bytes, sequence } of batches)
        stamp(bytes, producer, sequence, batchAttribute.transactional)
    }
    const left = new Set(writes)
    let trouble: unknown
    while (left.size > 0) {
      const moved = new Set<string>()
      const rounds = [...this.#byLeader(left, moved)].map(({ leader, asked }) => this.#round(leader, asked))
      const before = [...left].reduce((sum, { batches }) => sum + batches.length, 0)
      for (const result of await Promise.all(rounds)) {
        if ('failure' in result) {
          trouble = result.failure
          for (const { topic } of result.asked) moved.add(topic)
          continue
        }
        for (const write of result.asked) {
          const answer = result.answers.get(partitionName(write))
          const verdict = answer === undefined ? 'retry' : sendVerdict(answer.code)
          if (answer === undefined || verdict === 'ok') {
            if (answer !== undefined) settle(write, answer, ends)
            if (write.batches.length === 0) left.delete(write)
            continue
          }
          const failed = this.#refused(write, answer)
          if (verdict !== 'retry') return { kind: verdict, error: failed }
          trouble = failed
          if (answer.code !== code.concurrentTransactions) moved.add(write.topic)
        }
      }
      const after = [...left].reduce((sum, { batches }) => sum + batches.length, 0)
      if (after < before) continue
      const error = (): Error => asError(outward(`transaction of ${this.#transactionalId}`, trouble))
      if (!(await backoff.wait())) return { kind: 'abort', error: error() }
      await this.#cluster.refresh([...moved]).catch((failure: unknown) => (trouble = failure))
      for (const topic of moved) {
        if (this.#cluster.known(topic) !== undefined || trouble instanceof NoAnswer) continue
        this.#topics.forget(topic)
        if ((await this.#cluster.topic(topic).catch(() => undefined)) === undefined)
          return { kind: 'abort', error: unknownTopic(topic) }
      }
    }
    return undefined
  }

  /** Never throws. */
  async commitOffsets(
    { group, offsets }: TransactionRequest,
    backoff: Backoff,
  ): Promise<SendFailure | undefined> {
    if (group.memberId === '' && (await this.#hasMembers(group.group, backoff))) {
      const message = `Group ${group.group} has members, and only they may commit its offsets. Join it.`
      return { kind: 'fenced', error: logError('LOG_FENCED', message) }
    }
    const request = {
      transactionalId: this.#transactionalId,
      producer: this.#coordinator.producer,
      group,
      offsets,
    }
    const api = {
      ...txnOffsetCommit,
      decode: (from: Parameters<typeof txnOffsetCommit.decode>[0]) => ({
        code: txnOffsetCommit.decode(from).find((one) => one.code !== code.none)?.code ?? code.none,
      }),
    }
    let error: Error
    do {
      try {
        const answer = await this.#coordinator.ask('group', group.group, api, request)
        const verdict = sendVerdict(answer.code)
        if (verdict === 'ok') return undefined
        error = brokerError(answer.code, `offsets of group ${group.group}`)
        if (verdict === 'fenced') {
          const message = `The member ${group.memberId} is not in generation ${group.generation} of ${group.group}: ${error.message}`
          return { kind: verdict, error: logError('LOG_FENCED', message, { cause: error }) }
        }
        if (verdict !== 'retry') return { kind: verdict, error }
      } catch (thrown) {
        error = asError(outward(`group ${group.group}`, thrown))
        if (!(thrown instanceof NoAnswer)) return { kind: 'abort', error }
      }
    } while (await backoff.wait())
    return { kind: 'abort', error }
  }

  /** Brokers take offsets without a member also while there are members: nothing would fence them. */
  async #hasMembers(group: string, backoff: Backoff): Promise<boolean> {
    do {
      try {
        const answer = await this.#coordinator.ask('group', group, describeGroup, { group })
        if (answer.code === code.none) return answer.memberIds.length > 0
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
      }
    } while (await backoff.wait())
    return false
  }

  async #round(
    leader: BrokerAddress,
    asked: readonly PartitionWrites[],
  ): Promise<
    { readonly asked: readonly PartitionWrites[] } & (
      | { readonly answers: ReadonlyMap<string, ProducedPartition> }
      | { readonly failure: unknown }
    )
  > {
    try {
      const connection = await this.#connections.to(leader)
      const answers = await connection.request(produce, {
        transactionalId: this.#transactionalId,
        timeoutMs: replicationTimeoutMs(this.#requestTimeoutMs),
        batches: asked.flatMap(({ topic, partition, batches }) =>
          batches.slice(0, 1).map(({ bytes }) => ({ topic, partition, bytes })),
        ),
      })
      return { asked, answers: new Map(answers.map((answer) => [partitionName(answer), answer])) }
    } catch (failure) {
      return { asked, failure }
    }
  }

  #byLeader(
    writes: Iterable<PartitionWrites>,
    withoutLeader: Set<string>,
  ): Iterable<{ readonly leader: BrokerAddress; readonly asked: PartitionWrites[] }> {
    const groups = new Map<string, { leader: BrokerAddress; asked: PartitionWrites[] }>()
    for (const write of writes) {
      const leader = this.#cluster.leader(write)
      if (leader === undefined) {
        withoutLeader.add(write.topic)
        continue
      }
      const group = groups.get(addressName(leader))
      if (group === undefined) groups.set(addressName(leader), { leader, asked: [write] })
      else group.asked.push(write)
    }
    return groups.values()
  }

  #refused(write: PartitionWrites, answer: ProducedPartition): Error {
    const error = brokerError(answer.code, `append to ${partitionName(write)}`, answer.message)
    const isTooLarge = answer.code === code.messageTooLarge || answer.code === code.recordListTooLarge
    if (!isTooLarge) return error
    // The limit was lowered since it was looked up; the next transaction is cut by the new one.
    this.#topics.forget(write.topic)
    const size = write.batches[0]?.bytes.length ?? 0
    return logError('LOG_RECORD_TOO_LARGE', `A batch of ${size} bytes is larger than ${write.topic} takes.`, {
      cause: error,
    })
  }
}

function settle(write: PartitionWrites, { baseOffset }: ProducedPartition, ends: number[]): void {
  const batch = write.batches.shift()
  if (batch !== undefined) ends[batch.append] = baseOffset + batch.bytes.readInt32BE(batchField.count)
}

/** An error of `plan` as a failure: nothing was sent. */
export function planFailure(error: unknown): Error {
  return isMillraceError(error) ? error : logError('LOG_INVALID_REQUEST', messageOf(error), { cause: error })
}
