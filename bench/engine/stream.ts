/** A workload's topology, run as the program's engine thread runs one. */
import { silentLogger, systemClock } from '#core'
import type { Log } from '#log'
import { startStreams } from '#processor'
import type { Streams, StreamsOptions } from '#processor'
import type { OnProgress } from '../runner/measured.ts'
import { committedRecords, inputRecords } from './input.ts'
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

/** Rejects with what the stream thread fails with, for whoever waits for something else beside it. */
export function failureOf(streams: Streams): Promise<never> {
  const failed = streams.failed.then((error): never => {
    throw error
  })
  // Who waits for it may come later.
  failed.catch(() => undefined)
  return failed
}

const pollMs = 20

/** Resolves once the offsets of all input are committed. */
export async function untilCommitted(
  log: Log,
  streams: Streams,
  workload: Workload,
  onProgress: OnProgress,
): Promise<void> {
  const total = await inputRecords(log, workload)
  const failed = failureOf(streams)
  for (let done = 0; done < total;) {
    await Promise.race([systemClock.sleep(pollMs), failed])
    done = await committedRecords(log, workload)
    onProgress(done, total)
  }
}
