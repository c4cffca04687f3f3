/** Claims that come while something happens to the processes that decide them. */
import { ClaimStream } from '../engine/claim-stream.ts'
import { claimTopics } from '../engine/claims.ts'
import type { RunningEngine } from '../peers/engine.ts'
import type { Context } from '../runner/bench.ts'
import { claimsOf } from './kafka-runs.ts'
import type { KafkaRun } from './kafka-runs.ts'

/** They go on coming. */
export async function claimsOn(context: Context, run: KafkaRun): Promise<ClaimStream> {
  const stream = await ClaimStream.open(claimTopics(claimsOf(run)), run.log)
  context.scope.defer(() => stream.abandon())
  await stream.start()
  return stream
}

/** What was measured, when the last claim is decided and the processes have ended in order. */
export async function stoppedAfter<T>(
  measured: Promise<T>,
  stream: ClaimStream,
  processes: readonly RunningEngine[],
): Promise<T> {
  const found = await measured
  await stream.stop()
  await Promise.all(processes.map((running) => running.stop()))
  return found
}
