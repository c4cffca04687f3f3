/**
 * Checkers of what the engine promises about any topology, pure and fed by records: used by tests, the simulation and
 * verification of a live system. Each returns what it found wrong.
 */
export * from './monotonic.ts'
export * from './outputs-once.ts'
export * from './positions.ts'
export * from './state-fold.ts'
export type { EngineViolation } from './violation.ts'
