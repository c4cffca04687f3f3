/**
 * The life of a member, by name. Every change is one log line.
 *
 *   unjoined → joining → syncing → stable → joining …
 *                 ▲          │        │
 *                 │          ├────────┴──▶ revoking ──┐ (gave something back: joins again at once)
 *                 └──────────┴────────────────────────┘
 *   from each: lost (not a member any more) → joining, leaving → left, failed
 */
export type MemberState =
  | 'unjoined'
  | 'joining'
  | 'syncing'
  | 'stable'
  | 'revoking'
  | 'lost'
  | 'leaving'
  | 'left'
  | 'failed'

const ends: readonly MemberState[] = ['lost', 'leaving', 'failed']

const next: Readonly<Record<MemberState, readonly MemberState[]>> = {
  unjoined: ['joining', 'leaving'],
  joining: ['joining', 'syncing', ...ends],
  syncing: ['joining', 'stable', ...ends],
  stable: ['joining', 'revoking', ...ends],
  revoking: ['joining', ...ends],
  lost: ['joining', 'leaving', 'failed'],
  leaving: ['left'],
  failed: ['leaving'],
  left: [],
}

export function mayBecome(from: MemberState, to: MemberState): boolean {
  return next[from].includes(to)
}
