/** What was opened, to be closed in the opposite order, all of it, whatever fails on the way. */
import type { Logger } from '#core'

export class CloseStack {
  readonly #closers: { readonly name: string; close(): Promise<void> }[] = []

  push(name: string, close: () => Promise<void>): void {
    this.#closers.push({ name, close })
  }

  /** Failures are logged: the next start finds everything acknowledged in the log. */
  async closeAll(logger: Logger): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close()
      } catch (error) {
        logger.error({ error, part: closer.name }, 'A part could not be closed in order.')
      }
    }
  }
}
