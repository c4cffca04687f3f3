/** Real servers for tests of the projects `integration` and `fault`; each call gives an empty place of one's own. */
import { inject } from 'vitest'
import { databaseOn, redisOn } from './fresh.ts'
import type { TestStore } from './fresh.ts'

export { startTcpProxy } from './tcp-proxy.ts'
export type { TestStore } from './fresh.ts'

/** An empty PostgreSQL database. */
export function postgres(): Promise<TestStore> {
  return databaseOn(inject('databaseUrl'))
}

/** An empty Redis database. */
export function redis(): Promise<TestStore> {
  return redisOn(inject('redisUrl'))
}
