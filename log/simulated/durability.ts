/**
 * What the broker has written and what of it is on disk. Every change of the broker's durable state is noted with how
 * to take it back and with what it means once it is fsynced; a power loss takes back everything that was not.
 * One disk for all of it: what survives is a prefix of the changes in the order they were made.
 */
import { brokerDown } from './network.ts'
import type { Network } from './network.ts'

interface Change {
  readonly undo: () => void
  readonly synced: () => void
}

const nothing = (): void => {}

export class Durability {
  readonly #network: Network
  #unsynced: Change[] = []
  #waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  #flushing = false
  /** Called after each fsync: readers may see more now. */
  onSynced: () => void = nothing

  constructor(network: Network) {
    this.#network = network
  }

  /** A change was made. `synced` runs once it is on disk. */
  note(undo: () => void, synced: () => void = nothing): void {
    this.#unsynced.push({ undo, synced })
    if (this.#flushing) return
    this.#flushing = true
    this.#network.scheduler.schedule(this.#network.weather.fsyncMs(), undefined, 'fsync', () => this.flush())
  }

  /** Resolves once every change so far is on disk; rejects with `brokerDown` when that does not come to be. */
  wait(): Promise<void> {
    if (this.#unsynced.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => void this.#waiting.push({ resolve, reject }))
  }

  /** Makes every change so far durable now. */
  flush(): void {
    this.#flushing = false
    const changes = this.#unsynced
    const waiting = this.#waiting
    this.#unsynced = []
    this.#waiting = []
    for (const { synced } of changes) synced()
    if (changes.length > 0) this.onSynced()
    for (const { resolve } of waiting) resolve()
  }

  /** Takes back what was not fsynced; returns how many changes that were. */
  lose(): number {
    const changes = this.#unsynced
    const waiting = this.#waiting
    this.#unsynced = []
    this.#waiting = []
    for (const { undo } of changes.toReversed()) undo()
    for (const { reject } of waiting) reject(brokerDown)
    return changes.length
  }
}
