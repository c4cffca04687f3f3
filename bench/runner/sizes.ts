/** How much is measured. */
export interface Sizes {
  /** Of everything that is measured anew several times. */
  readonly repetitions: number
  /** Requests of a drain. */
  readonly drainRecords: number
  /** Results loaded by the sink. */
  readonly sinkRecords: number
  /** Users or records restored. */
  readonly restoreRecords: number
  /** Decided claims in the data of a start. */
  readonly startRecords: number
  /** Rounds of the gateway and its peer, in turn. */
  readonly gatewayRounds: number
  readonly gatewayRoundSeconds: number
  readonly latencySeconds: number
  readonly latencyPerSecond: number
}

const full: Sizes = {
  repetitions: 3,
  drainRecords: 2_000_000,
  sinkRecords: 500_000,
  restoreRecords: 1_000_000,
  startRecords: 1_000_000,
  gatewayRounds: 5,
  gatewayRoundSeconds: 3,
  latencySeconds: 15,
  latencyPerSecond: 2000,
}

const quick: Sizes = {
  repetitions: 2,
  drainRecords: 100_000,
  sinkRecords: 50_000,
  restoreRecords: 100_000,
  startRecords: 50_000,
  gatewayRounds: 2,
  gatewayRoundSeconds: 1,
  latencySeconds: 3,
  latencyPerSecond: 2000,
}

export interface SizeOptions {
  readonly quick: boolean
  readonly records?: number
  readonly seconds?: number
  readonly repetitions?: number
}

/** The full or the quick sizes, with what the user asked for instead. */
export function sizesOf({ quick: isQuick, records, seconds, repetitions }: SizeOptions): Sizes {
  return {
    ...(isQuick ? quick : full),
    ...(repetitions === undefined ? {} : { repetitions, gatewayRounds: repetitions }),
    ...(records === undefined
      ? {}
      : { drainRecords: records, sinkRecords: records, restoreRecords: records, startRecords: records }),
    ...(seconds === undefined ? {} : { gatewayRoundSeconds: seconds, latencySeconds: seconds }),
  }
}
