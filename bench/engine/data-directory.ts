/** What a data directory holds. */
import { join } from 'node:path'

/** Where the embedded log of a data directory is. */
export function logDirectoryOf(directory: string): string {
  return join(directory, 'log')
}

/** Where its state is. */
export function stateDirectoryOf(directory: string): string {
  return join(directory, 'state')
}
