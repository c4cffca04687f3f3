/** A log some of whose partitions have no leader: what is asked of them is not answered, or only by an error. */
import { logError } from '#log'
import type { Log, LogAdmin, TopicPartition } from '#log'
import { withTransactors } from './with-transactors.ts'

export interface PartlyAway {
  readonly log: Log
  /** Asked anew at every call. */
  isAway: (place: TopicPartition) => boolean
}

/** @param how `refuses`: with an error that a retry helps; `hangs`: never answers */
export function partlyAway(whole: Log, how: 'refuses' | 'hangs'): PartlyAway {
  const unlessAway = <T>(places: readonly TopicPartition[], answer: () => Promise<T>): Promise<T> => {
    if (!places.some((place) => partly.isAway(place))) return answer()
    if (how === 'hangs') return new Promise(() => {})
    return Promise.reject(logError('LOG_UNAVAILABLE', 'The partition has no leader. Try again.'))
  }
  const admin: LogAdmin = new Proxy(whole.admin, {
    get(target, name) {
      const known: Partial<LogAdmin> = {
        offsets: (places) => unlessAway(places, () => target.offsets(places)),
        committedOffsets: (group, places, options) =>
          unlessAway(places, () => target.committedOffsets(group, places, options)),
      }
      const value: unknown = Reflect.get(known, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const log = { ...withTransactors(whole, (id, options) => whole.transactor(id, options)), admin }
  const partly: PartlyAway = { log, isAway: () => false }
  return partly
}
