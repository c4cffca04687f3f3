/** Whose outputs and state a workload has, when several applications work on the same input. */
export interface Application {
  /** Names the group, the changelogs and the state's folder. */
  readonly appId: string
  /** Begins the name of the input topic, which they share. */
  readonly inputPrefix: string
}

/** The program's default, so that it can go on with what a benchmark prepared. */
export const theProgram: Application = { appId: 'coupon', inputPrefix: '' }
