/** The sale itself: open it, rush it, read who won. */
import { MillraceError } from '#core'
import type { Clock } from '#core'
import type { Answer, HttpClient } from './http-client.ts'

/** What one request was told. Times in milliseconds since the rush began. */
export interface ClaimAnswer {
  readonly user: string
  readonly startMs: number
  readonly endMs: number
  readonly outcome: 'issued' | 'refused' | 'undecided'
  readonly sequence: number | undefined
}

export interface Winner {
  readonly user: string
  readonly sequence: number
}

export async function openSale(
  client: HttpClient,
  coupon: { readonly couponId: string; readonly stock: number },
): Promise<void> {
  const answer = await client.send('POST', '/api/v1/coupons', coupon)
  if (answer.status !== 201) throw unexpected('open the coupon', answer)
}

/** Sends every request, as many at once as the client has connections, in the given order. */
export async function rush(
  client: HttpClient,
  sale: {
    readonly couponId: string
    readonly requests: readonly string[]
    readonly onAnswer: () => void
  },
): Promise<ClaimAnswer[]> {
  const path = `/api/v1/coupons/${sale.couponId}/claims`
  const began = performance.now()
  const answers: ClaimAnswer[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (;;) {
      const user = sale.requests[next++]
      if (user === undefined) return
      const startMs = performance.now() - began
      const { status, body } = await client.send('POST', path, { userId: user }, { prefer: 'wait=10' })
      const endMs = performance.now() - began
      const { sequence } = body as { sequence?: number }
      const outcome = status === 201 ? 'issued' : status === 409 ? 'refused' : 'undecided'
      answers.push({ user, startMs, endMs, outcome, sequence: outcome === 'issued' ? sequence : undefined })
      sale.onAnswer()
    }
  }
  await Promise.all(Array.from({ length: client.connections }, worker))
  return answers
}

/** The winners as the program lists them; that list may lag a moment behind the decisions. */
export async function readWinners(
  client: HttpClient,
  sale: { readonly couponId: string; readonly expected: number; readonly clock: Clock },
): Promise<Winner[]> {
  const { clock } = sale
  const deadline = clock.now() + 30_000
  for (;;) {
    const answer = await client.send('GET', `/api/v1/coupons/${sale.couponId}/claims?limit=500`)
    const items =
      answer.status === 200
        ? (answer.body as { items: readonly { userId: string; sequence: number }[] }).items
        : []
    if (items.length >= sale.expected || clock.now() > deadline) {
      if (answer.status !== 200) throw unexpected('list the winners', answer)
      return items.map(({ userId, sequence }) => ({ user: userId, sequence }))
    }
    await clock.sleep(50)
  }
}

function unexpected(what: string, answer: Answer): MillraceError {
  return new MillraceError(
    'CLI_DEMO_UNEXPECTED_ANSWER',
    `Could not ${what}: ${answer.status} ${JSON.stringify(answer.body)}`,
    { domain: 'internal', reaction: 'stop', retrySafe: true },
  )
}
