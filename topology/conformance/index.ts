/** The published suites: whoever writes a store runs them over it, with vitest and fast-check installed. */
export * from './key-value-store-suite.ts'
export * from './set-store-suite.ts'
export type { OpenedStore, StoreSuiteOptions } from './suite.ts'
