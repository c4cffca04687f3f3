/** What a membership and its heartbeat thread say to each other. */
import type { ConnectionOptions } from '@platformatic/kafka'
import type { BrokerAddress } from '../broker-connection.ts'
import type { HeartbeatRequest } from '../protocol/group-members.ts'

export interface HeartbeatThreadData {
  readonly connection: ConnectionOptions
  /** One 32-bit counter: it changes as long as the thread of the member turns its event loop. */
  readonly alive: SharedArrayBuffer
  readonly intervalMs: number
  /** The interval for `quickForMs` after each round: what one member gives back is handed over in the next one. */
  readonly quickMs: number
  readonly quickForMs: number
  /** Nothing is sent while `alive` stood still for longer. */
  readonly stalledMs: number
}

/** Replaces the order before it. */
export type HeartbeatOrder =
  | {
      readonly kind: 'beat'
      /** Comes back in the news, so that old ones can be told apart. */
      readonly turn: number
      readonly coordinator: BrokerAddress
      readonly request: HeartbeatRequest
    }
  | { readonly kind: 'rest' }

/** Sent once when the thread is ready, then when a heartbeat is answered with anything but 0, or not at all. */
export interface HeartbeatNews {
  readonly turn: number
  /** Undefined when there was no answer. */
  readonly code: number | undefined
}
