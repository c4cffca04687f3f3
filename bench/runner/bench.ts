/** What a benchmark is, and what one hands back. */
import type { Servers } from './servers.ts'
import type { Progress } from './progress.ts'
import type { Scope } from './scope.ts'
import type { Sizes } from './sizes.ts'

export interface Measurement {
  /** What was measured, in a word or two. */
  readonly metric: string
  readonly unit: string
  /** One a repetition; at least one. */
  readonly values: readonly number[]
  /** The same of the peer, measured in turn with them. */
  readonly peerValues?: readonly number[]
  /** What the project wants, as text. Never enforced: machines differ. */
  readonly goal?: string
}

export interface Context {
  readonly sizes: Sizes
  /** Closed after the variant, whatever became of it. */
  readonly scope: Scope
  readonly progress: Progress
  readonly servers: Servers
  /** Where CPU profiles of the measured processes go; undefined: none are made. */
  readonly profileDirectory: string | undefined
}

export interface Variant {
  readonly name: string
  readonly summary: string
  /** Measures, and checks the result of what it measured: throws when that was wrong. */
  measure(context: Context): Promise<readonly Measurement[]>
}

export interface Bench {
  readonly name: string
  readonly summary: string
  readonly variants: readonly Variant[]
}
