/** Watches a coupon's winners appear in the SQL database, as somebody who reads it sees them. */
import { Client } from 'pg'
import { systemClock } from '#core'
import { HttpClient } from '../../cli/demo/http-client.ts'
import { claimsPath } from './claim-request.ts'

const pollMs = 5

/** The ids of the winners after a sequence, in their order; some hundred at most. */
export interface Winners {
  after(sequence: number): Promise<readonly string[]>
  close(): Promise<void>
}

/** Straight from PostgreSQL. */
export async function winnersInPostgres(databaseUrl: string, couponId: string): Promise<Winners> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  return {
    async after(sequence) {
      const { rows } = await client.query<{ claim_id: string }>({
        name: 'winners',
        text: 'select claim_id from coupon_issue where coupon_id = $1 and sequence > $2 order by sequence limit 2000',
        values: [couponId, sequence],
      })
      return rows.map((row) => row.claim_id)
    },
    close: () => client.end(),
  }
}

/** By way of the program, for a database that only it can open. */
export function winnersOverHttp(url: string, couponId: string): Winners {
  const client = new HttpClient(url, 1)
  return {
    async after(sequence) {
      const cursor = sequence === 0 ? '' : `&cursor=${Buffer.from(String(sequence)).toString('base64url')}`
      const { status, body } = await client.send('GET', `${claimsPath(couponId)}?limit=500${cursor}`)
      // The tables are made after the program is ready.
      if (status === 503) return []
      if (status !== 200) throw new Error(`listing the winners answered ${status}: ${JSON.stringify(body)}`)
      return (body as { readonly items: readonly { readonly claimId: string }[] }).items.map(
        ({ claimId }) => claimId,
      )
    },
    close: async () => client.close(),
  }
}

/** Resolves once the row of a coupon's winner number `sequence` is there. */
export async function untilWinner(winners: Winners, sequence: number): Promise<void> {
  while ((await winners.after(sequence - 1)).length === 0) await systemClock.sleep(pollMs)
}

/** When each of the first `count` winners was first seen, by claim id, on `performance.now`'s clock. */
export async function watchWinners(winners: Winners, count: number): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>()
  while (seen.size < count) {
    const claimIds = await winners.after(seen.size)
    const now = performance.now()
    for (const claimId of claimIds) seen.set(claimId, now)
    if (claimIds.length === 0) await systemClock.sleep(pollMs)
  }
  return seen
}
