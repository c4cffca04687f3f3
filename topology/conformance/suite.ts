/** What both store suites share: how a store is opened, and in which phases each test is repeated. */
import { describe, onTestFinished, test } from 'vitest'

type Awaitable<T> = T | Promise<T>

/** A store under test, and what can be done to it between a write and a read. */
export interface OpenedStore<S> {
  readonly store: S
  /** Ends the transaction: what was written is committed. Absent for stores without transactions. */
  commit?(): Awaitable<void>
  /** After a commit: closes the store and opens it again over the same data, or restores it from its changelog. */
  reopen?(): Awaitable<OpenedStore<S>>
  close?(): Awaitable<void>
}

export interface StoreSuiteOptions {
  /** Shown in the test report. */
  readonly name: string
  /** True when opened stores have `reopen`. */
  readonly reopens?: boolean
  /** For the specifications that the suite opens. Default true; `approximateCount` must be exact when false. */
  readonly persistent?: boolean
  /** Seed of the model test. Default 1. */
  readonly seed?: number
  /** Tests that cannot hold, by name, each with its reason. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
}

const phases = ['as written', 'after commit', 'after reopen'] as const
export type Phase = (typeof phases)[number]

/** The store of one test. `settle` brings the writes so far into the phase that is tested. */
export class StoreUnderTest<S> {
  #opened: OpenedStore<S>
  readonly #phase: Phase
  #closed = false

  constructor(opened: OpenedStore<S>, phase: Phase) {
    this.#opened = opened
    this.#phase = phase
    onTestFinished(() => this.close())
  }

  get store(): S {
    return this.#opened.store
  }

  async settle(): Promise<S> {
    if (this.#phase === 'after commit') await this.commit()
    if (this.#phase === 'after reopen') await this.reopen()
    return this.store
  }

  async commit(): Promise<void> {
    await this.#opened.commit?.()
  }

  /** Commits first; stays as it is when the store cannot be reopened. */
  async reopen(): Promise<void> {
    await this.commit()
    this.#opened = (await this.#opened.reopen?.()) ?? this.#opened
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#opened.close?.()
  }
}

/** Registers tests once for each phase that the store has. */
export class StoreSuite {
  readonly #options: StoreSuiteOptions
  readonly #names = new Set<string>()

  constructor(options: StoreSuiteOptions) {
    this.#options = options
  }

  /** Calls `register` for each phase. */
  phases(register: (phase: Phase) => void): void {
    const { name, reopens = false, skip = [] } = this.#options
    describe(name, () => {
      for (const phase of phases) {
        if (phase !== 'after reopen' || reopens) describe(phase, () => register(phase))
      }
    })
    const unknown = skip.find((skipped) => !this.#names.has(skipped.test))
    if (unknown !== undefined) throw new Error(`The store suite has no test "${unknown.test}" to skip`)
  }

  test(name: string, run: () => Promise<void>): void {
    this.#names.add(name)
    const skipped = this.#options.skip?.find((candidate) => candidate.test === name)
    if (skipped === undefined) test(name, run)
    else test.skip(`${name} (${skipped.reason})`, run)
  }
}
