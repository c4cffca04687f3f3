/**
 * Idempotency-Keys whose first claim is not in the result view yet: a repeat during the append waits for it, a repeat
 * after it gets the same place in line. Bounded; an entry goes when the view has the result.
 */
import { HttpProblem } from '../http/problem.ts'
import type { ClaimPosition } from '#domain/coupon'

export interface KeyInFlight {
  readonly userId: string
  readonly position: Promise<ClaimPosition>
}

export class KeysInFlight {
  readonly #max: number
  readonly #isDecided: (partition: number, offset: number) => boolean
  readonly #entries = new Map<string, KeyInFlight & { settled: ClaimPosition | undefined }>()

  /** @param isDecided whether the view has the result of the command at this place */
  constructor(max: number, isDecided: (partition: number, offset: number) => boolean) {
    this.#max = max
    this.#isDecided = isDecided
  }

  get count(): number {
    return this.#entries.size
  }

  find(couponId: string, key: string): KeyInFlight | undefined {
    return this.#entries.get(idOf(couponId, key))
  }

  /** Errors: overloaded; those of `append`, after which the key is free again. */
  begin(
    couponId: string,
    key: string,
    userId: string,
    append: () => Promise<ClaimPosition>,
  ): Promise<ClaimPosition> {
    if (this.#entries.size >= this.#max) {
      throw new HttpProblem('overloaded', {
        detail: 'Too many keyed claims are undecided. Try again in a moment.',
      })
    }
    const id = idOf(couponId, key)
    const position = append()
    const entry = { userId, position, settled: undefined as ClaimPosition | undefined }
    this.#entries.set(id, entry)
    return position.then(
      (settled) => {
        entry.settled = settled
        // The result may be there before the append's own acknowledgement.
        if (this.#isDecided(settled.partition, settled.offset)) this.#entries.delete(id)
        return settled
      },
      (error: unknown) => {
        this.#entries.delete(id)
        throw error
      },
    )
  }

  /** The view has the result of the command under this key at this place. */
  decided(couponId: string, key: string, partition: number, offset: number): void {
    const id = idOf(couponId, key)
    const settled = this.#entries.get(id)?.settled
    if (settled?.partition === partition && settled.offset === offset) this.#entries.delete(id)
  }
}

/** Ids hold no space. */
function idOf(couponId: string, key: string): string {
  return `${couponId} ${key}`
}
