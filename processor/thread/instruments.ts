/** What a stream thread measures. */
import type { Counter, Gauge, Histogram, Metrics } from '#core'
import { restoreInstruments } from '../restore-report.ts'
import type { RestoreInstruments } from '../restore-report.ts'

export interface ThreadInstruments {
  readonly processed: Counter
  readonly punctuatorsFailed: Counter
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
