import { isMillraceError } from '#core'
import { HttpProblem } from '../http/problem.ts'

/**
 * What the sink's store answers. A store whose thread has ended is away, which is not the log being away; one that
 * refuses for good is as far from the reader, and its operator finds the reason in the log.
 */
export async function fromStore<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (!isMillraceError(error) || !stopped.has(error.code)) throw error
    throw new HttpProblem('store-unavailable', { detail: 'The store has stopped. Try again later.' })
  }
}

const stopped = new Set([
  'RPC_CLOSED',
  'SINK_STORE_REFUSED',
  'SINK_CLOSED',
  'DIRECTORY_FOREIGN',
  'DIRECTORY_FAILED',
])
