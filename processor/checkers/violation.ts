/** What a checker found wrong. An empty list means that what it checks held. */
export interface EngineViolation {
  readonly check:
    | 'state-is-fold'
    | 'offsets-grow'
    | 'checkpoints-grow'
    | 'outputs-once'
    | 'position-is-offset'
  readonly message: string
}
