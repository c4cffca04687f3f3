/** The child's side of `runChild`. */
import { messageOf } from '#core'

export type FromChild =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'failure'; readonly message: string }
  | { readonly kind: 'result'; readonly value: unknown }

const progressMs = 500

export type OnProgress = (done: number, total: number) => void

/** A script whose process is measured. The types are of what it is given and of what it answers. */
export interface MeasuredScript<Input, Output> {
  readonly url: URL
  readonly types?: (input: Input) => Output
}

/** Called by the script itself: waits for the input, measures, answers, and ends the process. */
export function measured<Input, Output>(
  _script: MeasuredScript<Input, Output>,
  measure: (input: Input, onProgress: OnProgress) => Promise<Output>,
): void {
  process.once('disconnect', orphaned)
  const answer = async (input: Input): Promise<void> => {
    try {
      const value = await measure(input, paced())
      await send({ kind: 'result', value })
    } catch (error) {
      await send({ kind: 'failure', message: messageOf(error) })
    }
    process.off('disconnect', orphaned)
    process.exit()
  }
  process.once('message', (input) => void answer(input as Input))
}

/** Progress now and then: telling it costs time that is measured. */
function paced(): OnProgress {
  let nextAt = 0
  return (done, total) => {
    const now = performance.now()
    if (now < nextAt) return
    nextAt = now + progressMs
    void send({ kind: 'progress', done, total })
  }
}

/** The parent is gone: so is whoever wants to know. */
function orphaned(): never {
  process.exit(1)
}

function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, () => resolve())
  })
}
