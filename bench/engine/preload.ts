import type { Log } from '#log'
import type { OnProgress } from '../runner/measured.ts'
import type { Workload } from './workload.ts'

const chunk = 5000

/** Appends a workload's input, some thousand at a time. */
export async function preload(log: Log, workload: Workload, onProgress: OnProgress): Promise<void> {
  await log.admin.ensureTopics(workload.topics)
  const appender = log.appender()
  let waiting: Promise<unknown>[] = []
  let done = 0
  const flush = async (): Promise<void> => {
    done += waiting.length
    await Promise.all(waiting)
    waiting = []
    onProgress(done, workload.records)
  }
  for (const record of workload.input()) {
    waiting.push(appender.append(record))
    if (waiting.length === chunk) await flush()
  }
  await flush()
  await appender.close()
}
