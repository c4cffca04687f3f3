/** Results into the tables, exactly once: rows and offsets move in one transaction. */
import { isMillraceError } from '#core'
import type { Clock, Counter, Metrics } from '#core'
import { sinkError } from '../errors.ts'
import type { ResultBatch } from '../intake.ts'
import type { LogIdentity } from '../log-identity.ts'
import type { Store } from '../store.ts'
import { TokenBucket } from '../token-bucket.ts'
import type { SqlDatabase } from './database.ts'
import { foldRows } from './fold-rows.ts'
import { advanceOffsets, readOffsets } from './offset-table.ts'
import { ensureSchema } from './schema.ts'
import { statementsOf } from './statements.ts'

export interface SqlStoreOptions {
  readonly database: SqlDatabase
  readonly topicVersion: number
  readonly clock: Clock
  readonly metrics: Metrics
  /** SINK_ROWS_PER_SECOND. */
  readonly rowsPerSecond: number
  readonly rejectedRetentionMs: number
}

const pruneEveryMs = 60_000
const pruneRowsMax = 5000

export class SqlStore implements Store {
  readonly name = 'sql'
  readonly title = 'The tables'
  readonly lingerMs: number
  readonly #options: SqlStoreOptions
  readonly #bucket: TokenBucket
  readonly #rows: Counter
  #schemaReady = false
  #pruneAt: number

  constructor(options: SqlStoreOptions) {
    this.#options = options
    // PGlite pays per transaction, and nobody polls it: larger batches are worth the wait.
    this.lingerMs = options.database.kind === 'pglite' ? 50 : 5
    this.#bucket = new TokenBucket(options.clock, options.rowsPerSecond)
    this.#rows = options.metrics.counter({
      name: 'sink_rows_total',
      help: 'Rows inserted or changed in the SQL database.',
      labels: ['table'],
    })
    this.#pruneAt = options.clock.now()
  }

  async positions(identity: LogIdentity, signal: AbortSignal): Promise<number[]> {
    const { database } = this.#options
    if (!this.#schemaReady) await ensureSchema(database, signal)
    // Where the offsets cannot be read the tables may be gone, or others: next time they are looked at again.
    this.#schemaReady = false
    const offsets = await readOffsets(database, identity, signal)
    this.#schemaReady = true
    return offsets
  }

  async apply(batch: ResultBatch, identity: LogIdentity, signal: AbortSignal): Promise<boolean> {
    const { database, topicVersion } = this.#options
    const statements = statementsOf(
      foldRows(batch.results, { topicVersion, rejectedSince: this.#rejectedSince() }),
    )
    await this.#bucket.take(batch.results.length, signal)
    const written = new Map<string, number>()
    try {
      await database.transaction(async (session) => {
        if (!(await advanceOffsets(session, identity, batch.steps))) throw conflict()
        for (const { table, text, parameters } of statements) {
          const { count } = await session.query(text, parameters)
          written.set(table, (written.get(table) ?? 0) + count)
        }
      }, signal)
    } catch (error) {
      if (isMillraceError(error, 'SINK_CONFLICT')) return false
      throw error
    }
    for (const [table, count] of written) this.#rows.add(count, { table })
    return true
  }

  /** Deletes rejections past their retention, some at a time. */
  async maintain(signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now()
    if (now < this.#pruneAt) return
    const { count } = await this.#options.database.transaction(
      (session) =>
        session.query(
          `delete from claim_rejected where claim_id in (
             select claim_id from claim_rejected
             where rejected_at < timestamptz 'epoch' + $1::bigint * interval '1 millisecond' limit ${pruneRowsMax})`,
          [this.#rejectedSince()],
        ),
      signal,
    )
    await this.#bucket.take(count, signal)
    if (count < pruneRowsMax) this.#pruneAt = now + pruneEveryMs
  }

  #rejectedSince(): number {
    return this.#options.clock.now() - this.#options.rejectedRetentionMs
  }
}

/** Rolls the transaction back. */
function conflict(): Error {
  return sinkError('SINK_CONFLICT', 'Another sink moved the tables first. Read their offsets again.')
}
