/** The child's side of `runChild`. */
import { messageOf } from '#core'

export type FromChild =
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | { readonly kind: 'failure'; readonly message: string }
  | { readonly kind: 'result'; readonly value: unknown }

export type OnProgress = (done: number, total: number) => void

/** Waits for the input, measures, answers, and ends the process. */
export function measured<Input, Output>(
  measure: (input: Input, onProgress: OnProgress) => Promise<Output>,
): void {
  // The parent is gone: so is whoever wants to know.
  const orphaned = (): never => process.exit(1)
  process.once('disconnect', orphaned)
  const send = (message: FromChild): Promise<void> =>
    new Promise((resolve) => {
      process.send?.(message, () => resolve())
    })
  const answer = async (input: Input): Promise<void> => {
    try {
      const value = await measure(input, (done, total) => void send({ kind: 'progress', done, total }))
      await send({ kind: 'result', value })
    } catch (error) {
      await send({ kind: 'failure', message: messageOf(error) })
    }
    process.off('disconnect', orphaned)
    process.exit()
  }
  process.once('message', (input) => void answer(input as Input))
}
