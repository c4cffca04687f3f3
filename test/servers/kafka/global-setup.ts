/** vitest's setup of the project `kafka`: one Kafka for the run, stopped at its end. */
import type { TestProject } from 'vitest/node'
import { startSharedKafka } from './start.ts'
import type { SharedKafka } from './start.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    kafka: SharedKafka
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { stop, brokers, proxied } = await startSharedKafka()
  project.provide('kafka', { brokers, proxied })
  return stop
}
