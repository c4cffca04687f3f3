/** What a stream thread measures. */
import type { Counter, Gauge, Histogram, Metrics, Observation } from '#core'
import { restoreInstruments } from '../restore-report.ts'
import type { RestoreInstruments } from '../restore-report.ts'

export interface ThreadInstruments {
  readonly processed: Counter
  readonly punctuatorsFailed: Counter
  readonly deadLettered: Counter
  readonly commit: Histogram
  readonly restore: RestoreInstruments
  readonly standbyLag: Gauge
}

export function threadInstruments(metrics: Metrics): ThreadInstruments {
  return {
    processed: metrics.counter({ name: 'streams_records_processed_total', help: 'Input records processed.' }),
    punctuatorsFailed: metrics.counter({
      name: 'streams_punctuators_failed_total',
      help: 'Calls of punctuators that threw and were taken back.',
      labels: ['processor', 'punctuator'],
    }),
    deadLettered: metrics.counter({
      name: 'streams_records_dead_lettered_total',
      help: 'Input records set aside in dead-letter topics, by the code of what went wrong.',
      labels: ['code'],
    }),
    commit: metrics.histogram({
      name: 'streams_commit_duration_seconds',
      help: 'From sealing a transaction to knowing its outcome.',
      labels: ['outcome'],
    }),
    restore: restoreInstruments(metrics),
    standbyLag: metrics.gauge({
      name: 'streams_standby_lag_records',
      help: 'Changelog offsets that the copy of a task lacks, as far as is known.',
      labels: ['task'],
    }),
  }
}

interface ShownTask {
  readonly taskId: string
  readonly role: string
  readonly status: string
  readonly lag: number
}

/** Shows the tasks of a thread as they are at that moment. @returns what ends it */
export function observeTasks(metrics: Metrics, tasks: () => readonly ShownTask[]): () => void {
  const ends = [
    metrics.observableGauge(
      {
        name: 'streams_task_lag_records',
        help: 'Records of its inputs that a running task has not processed, as far as is known.',
        labels: ['task'],
      },
      () => lags(tasks()),
    ),
    metrics.observableGauge(
      {
        name: 'streams_tasks',
        help: 'Tasks by what this process does with them (active, standby, warm-up) and how far it is with that.',
        labels: ['role', 'status'],
      },
      () => counts(tasks()),
    ),
  ]
  return () => {
    for (const end of ends) end()
  }
}

/** Before a task runs nobody knows where its inputs end: no lag is not a lag of 0. */
function lags(tasks: readonly ShownTask[]): Observation[] {
  return tasks.flatMap(({ taskId, status, lag }) =>
    status === 'running' ? [{ value: lag, labels: { task: taskId } }] : [],
  )
}

function counts(tasks: readonly ShownTask[]): Observation[] {
  const groups = Map.groupBy(tasks, ({ role, status }) => `${role} ${status}`)
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    return { value: group.length, labels: { role: first.role, status: first.status } }
  })
}
