/** A progress bar: redrawn in place on a terminal, a line for each tenth elsewhere. */
export class Progress {
  readonly #total: number
  readonly #stream: NodeJS.WriteStream
  #count = 0
  #shown = -1

  constructor(total: number, stream: NodeJS.WriteStream) {
    this.#total = total
    this.#stream = stream
  }

  step(): void {
    this.#count++
    const parts = this.#stream.isTTY ? 100 : 10
    const reached = Math.floor((this.#count / this.#total) * parts)
    if (reached === this.#shown) return
    this.#shown = reached
    const full = Math.round((this.#count / this.#total) * 40)
    const bar = `[${'#'.repeat(full)}${'.'.repeat(40 - full)}] ${this.#count}/${this.#total}`
    this.#stream.write(this.#stream.isTTY ? `\r${bar}` : `${bar}\n`)
  }

  done(): void {
    if (this.#stream.isTTY) this.#stream.write('\n')
  }
}
