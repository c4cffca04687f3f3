/** vitest's setup of the projects that need servers: starts them once a run, or uses those that test/run.ts started. */
import type { TestProject } from 'vitest/node'
import { startServers } from './start.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    databaseUrl: string
    redisUrl: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = await startServers()
  project.provide('databaseUrl', servers.databaseUrl)
  project.provide('redisUrl', servers.redisUrl)
  return () => servers.stop()
}
