/**
 * The tables, as numbered steps that run once each. Times are `timestamptz` with millisecond precision.
 * Ids compare bytewise (collation "C"), so an index gives them in one order everywhere.
 */
import { sinkError } from '../errors.ts'
import { integerOf } from './database.ts'
import type { SqlDatabase } from './database.ts'

const steps: readonly (readonly string[])[] = [
  [
    `create table coupon (
      coupon_id text collate "C" primary key,
      name text,
      stock bigint not null,
      remaining bigint not null check (remaining between 0 and stock),
      per_user_limit integer not null,
      starts_at timestamptz,
      ends_at timestamptz,
      discount_percent double precision,
      discount_amount bigint,
      discount_currency text,
      valid_until timestamptz,
      paused boolean not null,
      closed boolean not null,
      opened_at timestamptz not null,
      version bigint not null
    )`,
    `create table coupon_issue (
      claim_id text collate "C" primary key,
      coupon_id text collate "C" not null,
      user_id text collate "C" not null,
      sequence bigint not null,
      slot integer not null,
      issued_at timestamptz not null,
      cancelled_at timestamptz,
      unique (coupon_id, sequence)
    )`,
    // Led by the user, so that it also finds a user's coupons.
    `create unique index coupon_issue_held on coupon_issue (user_id, coupon_id, slot) where cancelled_at is null`,
    `create table claim_rejected (
      claim_id text collate "C" primary key,
      coupon_id text collate "C" not null,
      user_id text collate "C" not null,
      reason text not null,
      rejected_at timestamptz not null
    )`,
    `create index claim_rejected_at on claim_rejected (rejected_at)`,
    // One log a topic: the key leaves log_id out, so rows of two logs cannot stand side by side.
    `create table sink_offset (
      topic text not null,
      partition integer not null,
      log_id text not null,
      next_offset bigint not null,
      primary key (topic, partition)
    )`,
  ],
]

/** Any number; two sinks that start at once take turns by it. */
const advisoryLock = 7_263_001

/** Creates what is missing. Errors: SINK_SCHEMA_NEWER, and those of the database. */
export async function ensureSchema(database: SqlDatabase, signal?: AbortSignal): Promise<void> {
  await database.transaction(async (session) => {
    await session.query(`select pg_advisory_xact_lock(${advisoryLock})`)
    await session.query('create table if not exists sink_schema (version integer not null)')
    const { rows } = await session.query('select coalesce(max(version), 0) as version from sink_schema')
    const version = integerOf(rows[0]?.['version'])
    if (version > steps.length) {
      throw sinkError(
        'SINK_SCHEMA_NEWER',
        `The tables are of schema version ${version}, this Millrace knows ${steps.length}. Start the newer Millrace.`,
        { context: { found: version, known: steps.length } },
      )
    }
    for (const [index, statements] of steps.slice(version).entries()) {
      for (const statement of statements) await session.query(statement)
      await session.query(`insert into sink_schema (version) values (${version + index + 1})`)
    }
  }, signal)
}
