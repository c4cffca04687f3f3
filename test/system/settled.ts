/** Waiting until what was asked is decided and every store has it. */
import { Client } from 'pg'
import { Redis } from 'ioredis'
import { systemClock } from '#core'
import { everyPartition } from '#log'
import { parseClaimId } from '#domain/coupon'
import type { ClaimPosition } from '#domain/coupon'
import { partitions } from './commands.ts'
import { eventually } from './eventually.ts'
import { readTopic } from './read-topic.ts'
import type { System } from './system.ts'

/** Resolves once every claim is decided. */
export async function decided(system: System, claimIds: readonly string[]): Promise<void> {
  for (const claimId of claimIds) {
    await eventually(`claim ${claimId} is decided`, async () => {
      const { status, body } = await system.http.send('GET', `/api/v1/claims/${claimId}`)
      return status === 200 && (body as { status: string }).status !== 'pending'
    })
  }
}

/** The least result offset after these claims' results, by partition: a result has at least the offset of its command. */
export function endsOf(claimIds: readonly string[]): Map<number, number> {
  const ends = new Map<number, number>()
  for (const claimId of claimIds) {
    const { partition, offset } = parseClaimId(claimId) as ClaimPosition
    ends.set(partition, Math.max(ends.get(partition) ?? 0, offset + 1))
  }
  return ends
}

/**
 * Resolves once both stores have read the results up to `ends` (exclusive), agree on where they stand, and stand still.
 * On a log that can be read meanwhile they must have every result of every command in it, those too that nobody was
 * told of: on a slow machine standing still for a moment does not say that nothing more comes.
 */
export async function loaded(system: System, ends: ReadonlyMap<number, number>): Promise<void> {
  const wanted = system.isLogShared ? [...ends, ...(await resultEnds(system))] : [...ends]
  let before = ''
  await eventually('the stores have every result', async () => {
    const [sql, memory] = await positions(system)
    const reached = wanted.every(([partition, end]) => (sql.get(partition) ?? 0) >= end)
    const now = JSON.stringify([...sql])
    const still = reached && now === before && now === JSON.stringify([...memory])
    before = now
    if (!still) await systemClock.sleep(200)
    return still
  })
}

/** Waits until every command is processed; then the offset after the last result, by partition. */
function resultEnds(system: System): Promise<readonly (readonly [number, number])[]> {
  const { appId, topics } = system
  const inputs = everyPartition(topics.issue, partitions)
  return system.withLog(async (log) => {
    await eventually('every command is processed', async () => {
      const edges = await log.admin.offsets(inputs)
      const done = await log.admin.committedOffsets(appId, inputs, { requireStable: false })
      return edges.every(({ highWatermark }, at) => (done[at]?.offset ?? 0) >= highWatermark)
    })
    const results = await readTopic(log, topics.result)
    return results.map((records, partition) => [partition, (records.at(-1)?.offset ?? -1) + 1])
  })
}

/** Next result offset by partition, of Postgres and of Redis. */
async function positions(system: System): Promise<readonly [Map<number, number>, Map<number, number>]> {
  const client = new Client({ connectionString: system.databaseUrl })
  const redis = new Redis(system.redisUrl)
  try {
    await client.connect()
    // The sink makes its tables once the rest is up.
    const made = await client.query<{ table: string | null }>("select to_regclass('sink_offset') as table")
    if (made.rows[0]?.table === null) return [new Map(), new Map()]
    const { rows } = await client.query<{ partition: number; next: string }>(
      'select partition, next_offset::text as next from sink_offset where topic = $1',
      [system.topics.result],
    )
    const [offsets] = await redis.keys(`sink:offset:*:${system.topics.result}`)
    const kept = offsets === undefined ? {} : await redis.hgetall(offsets)
    return [
      byPartition(rows.map(({ partition, next }) => [partition, Number(next)])),
      byPartition(Object.entries(kept).map(([partition, next]) => [Number(partition), Number(next)])),
    ]
  } finally {
    redis.disconnect()
    await client.end()
  }
}

function byPartition(entries: readonly (readonly [number, number])[]): Map<number, number> {
  return new Map(entries.filter(([, next]) => next > 0).toSorted(([a], [b]) => a - b))
}
