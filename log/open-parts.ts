import { logError } from './errors.ts'

interface Part {
  close(): Promise<void>
}

interface Member {
  leave(): Promise<void>
}

/** What was made of one log and is closed with it, unless it was closed before. */
export class OpenParts {
  readonly #members = new Set<Member>()
  readonly #others = new Set<Part>()
  #isClosing = false

  /** Errors: LOG_CLOSED. */
  assertOpen(): void {
    if (this.#isClosing) throw logError('LOG_CLOSED', 'The log is closed. Open it again.')
  }

  add<P extends Part>(part: P): P {
    this.#others.add(part)
    return part
  }

  addMember<M extends Member>(member: M): M {
    this.#members.add(member)
    return member
  }

  /** It has closed itself. */
  readonly forget = (part: Part): void => {
    this.#others.delete(part)
  }

  /** It has left by itself. */
  readonly forgetMember = (member: Member): void => {
    this.#members.delete(member)
  }

  /** Members leave first: their `revoked` may still commit. */
  async close(): Promise<void> {
    this.#isClosing = true
    await Promise.all([...this.#members].map((member) => member.leave()))
    await Promise.all([...this.#others].map((part) => part.close()))
  }
}
