/** What a run says while it runs: on stderr, so that stdout holds the results alone. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #name: string
  #open = false

  constructor(name: string, stream: NodeJS.WriteStream = process.stderr) {
    this.#name = name
    this.#stream = stream
  }

  say(text: string): void {
    this.#stream.write(`${this.#open ? '\r\u001B[K' : ''}[${this.#name}] ${text}\n`)
    this.#open = false
  }

  /** Redrawn in place on a terminal; nothing elsewhere. */
  at(done: number, total: number): void {
    if (!this.#stream.isTTY) return
    this.#stream.write(`\r\u001B[K[${this.#name}] ${Math.floor((100 * done) / total)} %`)
    this.#open = true
  }
}
