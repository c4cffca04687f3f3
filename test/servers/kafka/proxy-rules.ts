/** What a test asks a proxy to do to the requests and responses that pass it. */

/** Api keys of Kafka's protocol that tests meddle with. */
export const apiKeys = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  offsetFetch: 9,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  leaveGroup: 13,
  syncGroup: 14,
  apiVersions: 18,
  createTopics: 19,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const

/** A request on its way to the broker, or the response to it on its way back. */
export interface PassingFrame {
  readonly direction: 'request' | 'response'
  /** Of the request, on responses too. */
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly nodeId: number
  /** The whole frame, its 4-byte size first. */
  readonly bytes: Buffer
}

/** All that is given must hold. */
export interface FrameMatch {
  readonly direction: PassingFrame['direction']
  readonly apiKey?: number
  readonly nodeId?: number
  readonly where?: (frame: PassingFrame) => boolean
  /** Only the nth of those that match since the rule was made, from 1; all of them when left out. */
  readonly nth?: number
}

/**
 * A connection is a stream in either direction, so what follows a held or delayed frame waits behind it.
 * - `pass`: only watch.
 * - `{ delayMs }`: later.
 * - `{ lateMs }`: later, also when the client has given up meanwhile: it was on its way. For requests.
 * - `hold`: not before `release()`.
 * - `drop`: swallowed; what follows passes.
 * - `cut`: swallowed, and the connection ends. On a response: the broker did it, the client cannot know.
 */
export type ProxyAction =
  | 'pass'
  | 'hold'
  | 'drop'
  | 'cut'
  | { readonly delayMs: number }
  | { readonly lateMs: number }

export interface ProxyRule {
  /** How often it has acted. */
  readonly hits: number
  /** Resolves when it acts for the first time. */
  readonly hit: Promise<void>
  /** Lets go of what is held, and acts no more. */
  release(): void
}

export interface Verdict {
  readonly action: ProxyAction
  /** Of the rule that acts. */
  readonly released: Promise<void>
}

export class ProxyRules {
  readonly #deciders = new Set<(frame: PassingFrame) => Verdict | undefined>()
  readonly #releases = new Set<() => void>()

  add(match: FrameMatch, action: ProxyAction): ProxyRule {
    const first = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    let seen = 0
    let hits = 0
    const decide = (frame: PassingFrame): Verdict | undefined => {
      if (!matches(match, frame)) return undefined
      seen++
      if (match.nth !== undefined && seen !== match.nth) return undefined
      hits++
      first.resolve()
      return { action, released: end.promise }
    }
    const release = (): void => {
      this.#deciders.delete(decide)
      this.#releases.delete(release)
      end.resolve()
    }
    this.#deciders.add(decide)
    this.#releases.add(release)
    return {
      get hits() {
        return hits
      },
      hit: first.promise,
      release,
    }
  }

  /** Every rule counts the frame; the oldest that acts on it decides, those that only watch never do. */
  verdict(frame: PassingFrame): Verdict | undefined {
    const verdicts = [...this.#deciders].map((decide) => decide(frame))
    return verdicts.find((verdict) => verdict !== undefined && verdict.action !== 'pass')
  }

  releaseAll(): void {
    for (const release of this.#releases) release()
  }
}

function matches(match: FrameMatch, frame: PassingFrame): boolean {
  return (
    match.direction === frame.direction &&
    (match.apiKey === undefined || match.apiKey === frame.apiKey) &&
    (match.nodeId === undefined || match.nodeId === frame.nodeId) &&
    (match.where === undefined || match.where(frame))
  )
}
