/** How much of its input a workload has on a log, and how much of it is committed. */
import { everyPartition } from '#log'
import type { Log, TopicPartition } from '#log'
import type { Workload } from './workload.ts'

/** Records in the input topic, whoever wrote them. */
export async function inputRecords(log: Log, workload: Workload): Promise<number> {
  const ends = await log.admin.offsets(inputsOf(workload))
  return ends.reduce((sum, { highWatermark }) => sum + highWatermark, 0)
}

/** Input records whose offsets the application has committed. */
export async function committedRecords(log: Log, workload: Workload): Promise<number> {
  const inputs = inputsOf(workload)
  const committed = await log.admin.committedOffsets(workload.appId, inputs, { requireStable: false })
  return committed.reduce((sum, { offset = 0 }) => sum + offset, 0)
}

function inputsOf({ inputTopic, topics }: Workload): TopicPartition[] {
  return everyPartition(inputTopic, topics.find(({ name }) => name === inputTopic)?.partitions ?? 0)
}
