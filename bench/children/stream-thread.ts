/** One of the stream threads of a measured process. */
import { connectPositions } from '#processor'
import type { Streams } from '#processor'
import { hostThread } from '../../cli/compose/thread-host.ts'
import { startWorkload } from '../engine/stream.ts'
import { openLog } from '../engine/with-log.ts'
import { workloadOf } from '../engine/workload.ts'
import type { StreamThreadData } from './supervised-threads.ts'

hostThread<StreamThreadData>('engine', ({ data, clock, opened, signal, fail }) => {
  const { run, place, death } = data
  let streams: Streams | undefined
  death.once('message', () => process.exit(1))
  death.unref()
  /** With no task at all it has nothing to be ready for. */
  const ready = (): boolean => {
    const state = streams?.state()
    return state?.ready === true && state.tasks.length > 0
  }
  return {
    async open() {
      const { log, close } = await openLog(run)
      opened.push('log', close)
      const positions = connectPositions(place.positions)
      const started = await startWorkload(log, workloadOf(run.workload), run.stateDirectory, {
        place: { ...place, positions },
      })
      streams = started
      opened.push('processor', () => started.stop())
      void started.failed.then(fail)
    },
    async works() {
      while (!ready() && !signal.aborted) await clock.sleep(1)
    },
    checks: () => ({ tasks: ready() }),
  }
})
