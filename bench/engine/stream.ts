/** A workload's topology, run as the program's engine thread runs one. */
import { silentLogger, systemClock } from '#core'
import type { Log } from '#log'
import { startStreams } from '#processor'
import type { Streams, StreamsOptions } from '#processor'
import type { OnProgress } from '../runner/measured.ts'
import type { Workload } from './workload.ts'

export function startWorkload(
  log: Log,
  workload: Workload,
  stateDir: string,
  options: Pick<StreamsOptions, 'place'> = {},
): Promise<Streams> {
  const { appId, topology } = workload
  return startStreams({
    topology,
    log,
    appId,
    stateDir,
    clock: systemClock,
    logger: silentLogger,
    ...options,
  })
}

const pollMs = 20

/** Resolves once the offsets of all input are committed. */
export async function untilCommitted(
  log: Log,
  streams: Streams,
  workload: Workload,
  onProgress: OnProgress,
): Promise<void> {
  const { appId, inputTopic, topics } = workload
  const count = topics.find(({ name }) => name === inputTopic)?.partitions ?? 0
  const inputs = Array.from({ length: count }, (_, partition) => ({ topic: inputTopic, partition }))
  const ends = await log.admin.offsets(inputs)
  const total = ends.reduce((sum, { highWatermark }) => sum + highWatermark, 0)
  const failed = streams.failed.then((error): never => {
    throw error
  })
  for (let done = 0; done < total;) {
    await Promise.race([systemClock.sleep(pollMs), failed])
    const committed = await log.admin.committedOffsets(appId, inputs, { requireStable: false })
    done = committed.reduce((sum, { offset = 0 }) => sum + offset, 0)
    onProgress(done, total)
  }
}
