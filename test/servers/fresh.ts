/** Empty places on running servers. */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { Client } from 'pg'

export interface TestStore {
  readonly url: string
  /** Deletes what is in it. Optional: the servers end with the run. */
  drop(): Promise<void>
}

/** An empty PostgreSQL database: `postgres://…/millrace_test_…`. */
export async function databaseOn(server: string): Promise<TestStore> {
  const name = `millrace_test_${randomBytes(6).toString('hex')}`
  await onServer(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => onServer(server, `drop database if exists ${name} with (force)`) }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * An empty Redis database: `redis://…/N`. Numbers go round: on a server with the usual 16 databases, at most 15 may be
 * in use at a time.
 */
export async function redisOn(server: string): Promise<TestStore> {
  const counter = new Redis(server, { db: 0 })
  try {
    const [, databases] = (await counter.config('GET', 'databases')) as [string, string]
    const taken = await counter.incr('millrace-test-database')
    const url = new URL(server)
    url.pathname = `/${1 + (taken % (Number(databases) - 1))}`
    await flush(url.href)
    return { url: url.href, drop: () => flush(url.href) }
  } finally {
    counter.disconnect()
  }
}

async function flush(url: string): Promise<void> {
  const client = new Redis(url)
  try {
    await client.flushdb()
  } finally {
    client.disconnect()
  }
}
