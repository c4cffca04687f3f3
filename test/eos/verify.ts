/** Reads the whole log read_committed and holds every output to the fold of its input prefix. */
import type { Log } from '#log'
import { fetchTopic } from '../system/read-topic.ts'
import { checkStateDirectories, everyTask } from '../system/state-directories.ts'
import type { CheckedDirectories } from '../system/state-directories.ts'
import { GroupCheck, PartitionCheck, groupInput } from './checks.ts'
import type { InputRecord } from './checks.ts'
import { folds, fromHeader, partitions, subtopologyStores } from './topology.ts'
import type { EosTopics, Fold } from './topology.ts'

const echoed: Fold = (_before, value) => value

/** What is wrong with the outputs, and how many records there are of the input. */
export async function checkOutputs(
  log: Log,
  topics: EosTopics,
): Promise<{ readonly violations: readonly string[]; readonly inputs: number }> {
  const input = await readInput(log, topics.data)
  const violations: string[] = []
  for (const [name, fold] of [
    ['echo', echoed],
    ['min', folds.min],
    ['sum', folds.sum],
  ] as const) {
    const checks = input.map(
      (records, partition) => new PartitionCheck(`${name}-${partition}`, records, fold),
    )
    for await (const record of recordsOf(log, topics[name]))
      checks[record.partition]?.record(record.key, record.value)
    violations.push(...checks.flatMap((check) => check.end()))
  }
  const grouped = groupInput(input)
  for (const name of ['max', 'cnt'] as const) {
    const check = new GroupCheck(name, grouped, folds[name])
    for await (const { partition, key, value, from } of recordsOf(log, topics[name]))
      check.record(partition, key, value, from)
    violations.push(...check.end())
  }
  return { violations, inputs: input.reduce((sum, records) => sum + records.length, 0) }
}

/** Every copy of a state is the fold of its changelog. */
export function checkStates(
  log: Log,
  appId: string,
  stateDirs: readonly string[],
): Promise<CheckedDirectories> {
  return checkStateDirectories(log, appId, stateDirs, tasks)
}

/** Of both subtopologies. */
export const tasks = everyTask(subtopologyStores, partitions)

async function readInput(log: Log, topic: string): Promise<InputRecord[][]> {
  const input: InputRecord[][] = Array.from({ length: partitions }, () => [])
  for await (const { partition, offset, key, value } of recordsOf(log, topic))
    input[partition]?.push({ offset, key, value: Number(value) })
  return input
}

interface TextRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly value: string
  readonly from: string
}

async function* recordsOf(log: Log, topic: string): AsyncGenerator<TextRecord> {
  for await (const fetched of fetchTopic(log, topic)) {
    const { partition } = fetched
    for (const cursor = fetched.cursor(); cursor.next();) {
      const [key, value] = [cursor.key(), cursor.value()].map((field) => field?.toString() ?? '') as [
        string,
        string,
      ]
      const from =
        cursor
          .headers()
          .find((header) => header.key === fromHeader)
          ?.value?.toString() ?? ''
      yield { partition, offset: cursor.offset, key, value, from }
    }
  }
}
