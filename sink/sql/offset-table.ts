/** Where the tables stand in the log: read, and moved by compare-and-set inside the transaction of the rows. */
import { logChanged } from '../log-identity.ts'
import type { OffsetStep } from '../intake.ts'
import type { LogIdentity } from '../log-identity.ts'
import { arrayLiteral, integerOf } from './database.ts'
import type { SqlDatabase, SqlSession } from './database.ts'

/**
 * The next offset of every partition, 0 where there was none.
 * Errors: SINK_LOG_CHANGED when the tables belong to another log.
 */
export async function readOffsets(
  database: SqlDatabase,
  identity: LogIdentity,
  signal?: AbortSignal,
): Promise<number[]> {
  const { logId, topic, partitions } = identity
  return database.transaction(async (session) => {
    await session.query(
      `insert into sink_offset (topic, partition, log_id, next_offset)
       select $1, partition, $2, 0 from generate_series(0, $3::integer - 1) as partition on conflict do nothing`,
      [topic, logId, partitions],
    )
    const { rows } = await session.query(
      'select partition, log_id, next_offset from sink_offset where topic = $1 order by partition',
      [topic],
    )
    const other = rows.find((row) => row['log_id'] !== logId)
    if (other !== undefined) throw logChanged('The tables', String(other['log_id']), identity)
    return rows.slice(0, partitions).map((row) => integerOf(row['next_offset']))
  }, signal)
}

/**
 * Moves all the offsets, or answers false when another sink moved one of them first: roll back then.
 * Rows are locked in one order, so that two sinks cannot lock each other out.
 */
export async function advanceOffsets(
  session: SqlSession,
  identity: LogIdentity,
  steps: readonly OffsetStep[],
): Promise<boolean> {
  const { count } = await session.query(advanceText, [
    identity.topic,
    identity.logId,
    arrayLiteral(steps.map(({ partition }) => partition)),
    arrayLiteral(steps.map(({ from }) => from)),
    arrayLiteral(steps.map(({ to }) => to)),
  ])
  return count === steps.length
}

const advanceText = `
  with step (partition, start, stop) as (
    select * from unnest($3::text::integer[], $4::text::bigint[], $5::text::bigint[])
  ), held as (
    select sink_offset.partition, step.stop
    from sink_offset join step on sink_offset.partition = step.partition
    where sink_offset.topic = $1 and sink_offset.log_id = $2 and sink_offset.next_offset = step.start
    order by sink_offset.partition
    for update of sink_offset
  )
  update sink_offset set next_offset = held.stop from held
  where sink_offset.topic = $1 and sink_offset.partition = held.partition`
