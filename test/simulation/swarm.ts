/**
 * What a run is made of, all of it drawn from its seed. Swarm testing: each run switches on a random subset of the
 * fault kinds, at random rates, because faults that are always on hide one another.
 */
import { SeededRandom } from '#core'

const faultKinds = [
  'crash',
  'machine-power-loss',
  'log-power-loss',
  'pause',
  'outage',
  'stalled-commits',
  'lost-requests',
  'late-requests',
  'slow-partitions',
  'failed-commits',
  'fenced-commits',
  'unknown-commits',
  'failed-prepares',
  'compaction',
  'damaged-state',
  'lost-state',
  'restart',
  'machine-gone',
  'clock-skew',
  'long-absence',
  'expired-offsets',
] as const

export type FaultKind = (typeof faultKinds)[number]

export interface Plan {
  readonly scenario: 'coupons' | 'ledger'
  readonly partitions: number
  readonly machines: number
  readonly commands: number
  /** Milliseconds over which commands come. */
  readonly loadMs: number
  /** Milliseconds from the start to the end of all faults. */
  readonly safetyMs: number
  readonly recordsMax: number
  readonly bytesMax: number
  readonly bufferBytesMax: number
  readonly idempotencyRetentionMs: number
  readonly repartitionPurge: { readonly records: number; readonly intervalMs: number }
  /** Milliseconds of one way to the log, at most. */
  readonly delayMs: number
  readonly fsyncMs: number
  /** Probability of a fault of this kind at each occasion that it has; absent when it is off. */
  readonly rates: ReadonlyMap<FaultKind, number>
}

/** Occasions differ in how many there are: each event of a process, each request, each commit, each start. */
const rateRanges: Readonly<Record<FaultKind, readonly [low: number, high: number]>> = {
  crash: [0.001, 0.03],
  'machine-power-loss': [0.001, 0.01],
  'log-power-loss': [0.0005, 0.005],
  pause: [0.001, 0.01],
  outage: [0.001, 0.01],
  'stalled-commits': [0.01, 0.1],
  'lost-requests': [0.005, 0.1],
  'late-requests': [0.005, 0.1],
  'slow-partitions': [0.1, 0.5],
  'failed-commits': [0.02, 0.3],
  'fenced-commits': [0.01, 0.1],
  'unknown-commits': [0.02, 0.3],
  'failed-prepares': [0.02, 0.2],
  compaction: [0.002, 0.02],
  'damaged-state': [0.1, 0.5],
  'lost-state': [0.1, 0.5],
  restart: [0.001, 0.01],
  'machine-gone': [0.1, 0.4],
  'clock-skew': [1, 1],
  'long-absence': [0.2, 0.6],
  'expired-offsets': [0.2, 0.6],
}

export function planOf(random: SeededRandom): Plan {
  const rates = new Map<FaultKind, number>()
  // One run in ten has no faults at all: what is red there is no matter of recovery.
  const share = random.next() < 0.1 ? 0 : random.pick([0.15, 0.4, 0.7])
  for (const kind of faultKinds) {
    const [low, high] = rateRanges[kind]
    const rate = low * (high / low) ** random.next()
    if (random.next() < share) rates.set(kind, rate)
  }
  const scenario = random.next() < 0.65 ? 'coupons' : 'ledger'
  // A task without stores has its position nowhere else: the engine cannot tell it from one that never ran.
  if (scenario === 'ledger') rates.delete('expired-offsets')
  const loadMs = random.integer(200, 4_000)
  return {
    scenario,
    partitions: random.integer(1, 4),
    machines: random.pick([1, 1, 2, 2, 3]),
    commands: random.integer(10, 60),
    loadMs,
    safetyMs: loadMs + random.integer(500, 6_000),
    recordsMax: random.pick([1, 2, 5, 20, 500]),
    bytesMax: random.pick([300, 3_000, 1 << 20]),
    bufferBytesMax: random.pick([200, 2_000, 1 << 20]),
    idempotencyRetentionMs: random.pick([300, 3_000, 86_400_000]),
    repartitionPurge: { records: random.pick([1, 10]), intervalMs: random.pick([50, 1_000]) },
    delayMs: random.pick([0.2, 2, 20]),
    fsyncMs: random.pick([0.1, 1, 30]),
    rates,
  }
}
