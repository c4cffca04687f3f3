export * from './builder.ts'
export { describe } from './describe.ts'
export * from './describe-json.ts'
export { describeMermaid } from './describe-mermaid.ts'
export { typedStore, writeErased } from './erasure.ts'
export type { OutputStreams } from './erasure.ts'
export * from './graph.ts'
export * from './memory/key-value-store.ts'
export * from './memory/set-store.ts'
export * from './memory/undo-log.ts'
export * from './processor.ts'
export * from './serde.ts'
export * from './store.ts'
export * from './task-host.ts'
export { withAppId } from './with-app-id.ts'
export * from './task-program.ts'
export type { DuePunctuator } from './timers.ts'
export type { TopologyProblem } from './validation.ts'
export * from './testing/test-driver.ts'
export type { FailedPunctuator } from './testing/test-task.ts'
export type {
  PipedRecord,
  PipeOptions,
  TestInputTopic,
  TestOutputTopic,
  TestRecord,
} from './testing/test-topics.ts'
