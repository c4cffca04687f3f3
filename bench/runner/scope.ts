/** What a benchmark has open, closed in the opposite order after it, after a failure and after Ctrl-C. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export class Scope {
  /** A temporary directory of its own; deleted last. */
  readonly directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  readonly #closers: (() => Promise<void>)[] = []
  #closing: Promise<void> | undefined

  /** `close` is called once; after an earlier closer failed too. */
  defer(close: () => Promise<void>): void {
    this.#closers.unshift(close)
  }

  /** Idempotent; rejects with the first failure after everything was tried. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const failures: unknown[] = []
    for (const close of this.#closers) await close().catch((error: unknown) => failures.push(error))
    this.removeDirectory()
    if (failures.length > 0) throw failures[0]
  }

  /** Synchronous, for the last moment of the process: what was killed may have written until now. */
  removeDirectory(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
