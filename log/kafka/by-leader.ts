import { partitionName } from '../index.ts'
import type { TopicPartition } from '../index.ts'
import type { BrokerAddress } from './broker-connection.ts'
import { addressName } from './broker-connection.ts'
import { brokerError, code, isRetriable } from './broker-errors.ts'
import type { Cluster } from './cluster.ts'
import { NoAnswer, unavailable } from './no-answer.ts'

interface Answered {
  readonly code: number
}

/**
 * Asks the leader of each partition, and asks again where the leader moved or did not answer, until all have answered.
 * The answers are in the order of the partitions. Errors: LOG_UNKNOWN_TOPIC, LOG_UNAVAILABLE and other refusals.
 */
export async function askLeaders<T extends TopicPartition, Answer extends TopicPartition & Answered>(
  cluster: Cluster,
  partitions: readonly T[],
  ask: (leader: BrokerAddress, partitions: readonly T[]) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  const answers = new Map<string, Answer>()
  const backoff = cluster.backoff()
  let failure: unknown
  let unknowns = 0
  for (;;) {
    const left = partitions.filter((partition) => !answers.has(partitionName(partition)))
    if (left.length === 0)
      return partitions.map((partition) => answers.get(partitionName(partition)) as Answer)
    await cluster.patiently('topics', () => checkKnown(cluster, left))
    const asking = [...groupedByLeader(cluster, left)].map(async ({ leader, asked }) => {
      for (const answer of await ask(leader, asked)) {
        if (answer.code === code.none) answers.set(partitionName(answer), answer)
        else if (isRetriable(answer.code)) failure = brokerError(answer.code, partitionName(answer))
        else throw brokerError(answer.code, partitionName(answer))
        // Named by metadata a moment ago: its leader is about to know it too, or it was deleted meanwhile.
        if (answer.code === code.unknownTopicOrPartition && ++unknowns > unknownsMax)
          throw brokerError(answer.code, partitionName(answer))
      }
    })
    for (const result of await Promise.allSettled(asking)) {
      if (result.status === 'fulfilled') continue
      if (!(result.reason instanceof NoAnswer)) throw result.reason
      failure = result.reason
    }
    if (answers.size >= partitions.length) continue
    if (!(await backoff.wait())) throw unavailable('partition leaders', failure)
    const topics = [...new Set(left.map(({ topic }) => topic))]
    await cluster.patiently('topics', () => cluster.refresh(topics))
  }
}

const unknownsMax = 20

async function checkKnown(cluster: Cluster, partitions: readonly TopicPartition[]): Promise<void> {
  for (const place of partitions) {
    const topic = await cluster.topic(place.topic)
    if (topic?.partitions[place.partition] === undefined)
      throw brokerError(code.unknownTopicOrPartition, partitionName(place))
  }
}

function groupedByLeader<T extends TopicPartition>(
  cluster: Cluster,
  partitions: readonly T[],
): Iterable<{ readonly leader: BrokerAddress; readonly asked: readonly T[] }> {
  const groups = new Map<string, { leader: BrokerAddress; asked: T[] }>()
  for (const partition of partitions) {
    const leader = cluster.leader(partition)
    if (leader === undefined) continue
    const group = groups.get(addressName(leader))
    if (group === undefined) groups.set(addressName(leader), { leader, asked: [partition] })
    else group.asked.push(partition)
  }
  return groups.values()
}
