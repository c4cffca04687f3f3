/** Which measured processes there are, what each is given and what it answers. */
import type { ClaimTarget } from '../load/claim-request.ts'
import type { ClosedLoop, LoadResult } from '../load/closed-loop.ts'
import type { Schedule } from '../load/open-loop.ts'
import type { LogPlace } from '../engine/with-log.ts'
import type { ClaimsSpec } from '../engine/claims.ts'
import type { WorkloadSpec } from '../engine/workload.ts'
import type { MeasuredScript } from '../runner/measured.ts'

export interface DataDirectory {
  readonly directory: string
  readonly workload: WorkloadSpec
}

/** Puts a workload's input into a log, not yet processed. */
export const preloadScript: MeasuredScript<LogPlace & { readonly workload: WorkloadSpec }, object> = {
  url: new URL('./preload.ts', import.meta.url),
}

export interface DrainOutput {
  /** From the start of the stream thread until the last offset was committed. */
  readonly seconds: number
  /** User and system, of all threads of the process. */
  readonly cpuSeconds: number
  /** Largest resident set of the process so far. */
  readonly peakBytes: number
}

/** Processes everything that a data directory's log holds. */
export const drainScript: MeasuredScript<DataDirectory, DrainOutput> = {
  url: new URL('./drain.ts', import.meta.url),
}

/** Makes load on an address. */
export const closedLoopScript: MeasuredScript<ClosedLoop, LoadResult> = {
  url: new URL('./closed-loop.ts', import.meta.url),
}

export interface SinkInput {
  /** Its log holds the results. */
  readonly directory: string
  readonly databaseUrl: string
  /** Then Redis is timed, and the tables are filled before. */
  readonly redisUrl?: string
  /** What the stores must hold afterwards. */
  readonly issued: number
}

export interface TimedOutput {
  readonly seconds: number
}

/** Loads a log's results into a store. */
export const sinkScript: MeasuredScript<SinkInput, TimedOutput> = {
  url: new URL('./sink.ts', import.meta.url),
}

export interface RestoreInput extends DataDirectory {
  /** Empty. */
  readonly stateDirectory: string
}

/** Restores a processed workload's state. */
export const restoreScript: MeasuredScript<RestoreInput, TimedOutput> = {
  url: new URL('./restore.ts', import.meta.url),
}

export interface ClaimLatencyInput {
  readonly target: ClaimTarget
  readonly schedule: Schedule
  /** Also watch the rows appear: in this PostgreSQL, or, without a URL, by way of the program. */
  readonly rows?: { readonly databaseUrl?: string }
}

export interface ClaimLatencyOutput {
  /** From when each claim was due until its answer, milliseconds. */
  readonly answerMs: readonly number[]
  /** From when each claim was due until its row was seen. */
  readonly rowMs?: readonly number[]
}

/** Claims at a fixed rate over HTTP. */
export const claimLatencyScript: MeasuredScript<ClaimLatencyInput, ClaimLatencyOutput> = {
  url: new URL('./claim-latency.ts', import.meta.url),
}

export interface LogLatencyInput {
  /** Empty. */
  readonly directory: string
  readonly schedule: Schedule
}

export interface LogLatencyOutput {
  /** From when each append was due until a reader saw its result, milliseconds. */
  readonly decisionMs: readonly number[]
}

/** Claims at a fixed rate straight into the log. */
export const logLatencyScript: MeasuredScript<LogLatencyInput, LogLatencyOutput> = {
  url: new URL('./log-latency.ts', import.meta.url),
}

export interface KafkaLatencyInput {
  /** `host:port,…`. */
  readonly brokers: string
  /** Names the topics. */
  readonly claims: ClaimsSpec
  readonly schedule: Schedule
}

export interface KafkaLatencyOutput {
  /** From when each append was acknowledged until a reader of committed records saw its result, milliseconds. */
  readonly decisionMs: readonly number[]
}

export interface TransactionsInput {
  /** `host:port,…`. */
  readonly brokers: string
  /** Made anew, with a partition for each writer. */
  readonly topic: string
  /** Of one transaction after the other, each with two transactional ids in turn. */
  readonly writers: number
  readonly seconds: number
}

export interface TransactionsOutput {
  readonly transactions: number
  /** Of this client. */
  readonly cpuSeconds: number
}

/** Transactions of one record and one offset each, as many as one broker takes. */
export const transactionsScript: MeasuredScript<TransactionsInput, TransactionsOutput> = {
  url: new URL('./transactions.ts', import.meta.url),
}

/** Claims at a fixed rate into Kafka, decided by an engine beside. */
export const kafkaLatencyScript: MeasuredScript<KafkaLatencyInput, KafkaLatencyOutput> = {
  url: new URL('./kafka-latency.ts', import.meta.url),
}
