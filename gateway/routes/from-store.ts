import { isMillraceError } from '#core'
import { HttpProblem } from '../http/problem.ts'

/** What the sink's store answers; a store whose thread has ended is away, which is not the log being away. */
export async function fromStore<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (!isMillraceError(error, 'RPC_CLOSED')) throw error
    throw new HttpProblem('store-unavailable', { detail: 'The store has stopped. Try again later.' })
  }
}
