/** A log whose next commits end as a test says, with and without having taken effect. */
import type { Log, TransactionOutcome, Transactor } from '#log'
import { withTransactors } from './with-transactors.ts'

export type ScriptedOutcome =
  /** Committed, as it really is. */
  | 'committed'
  /** Given up before it reached the log. */
  | 'aborted'
  /** Took effect, but the answer was lost. */
  | 'unknown-committed'
  /** Did not take effect, and the answer was lost. */
  | 'unknown-aborted'
  | 'fenced'

/** Wraps `log`; each commit takes the next outcome of the script, and the real one when it is used up. */
export function scriptedLog(log: Log, script: ScriptedOutcome[]): Log {
  return withTransactors(log, async (id, options) =>
    scriptedTransactor(await log.transactor(id, options), script),
  )
}

function scriptedTransactor(transactor: Transactor, script: ScriptedOutcome[]): Transactor {
  return {
    transactionalId: transactor.transactionalId,
    prepare: (request) => transactor.prepare(request),
    abort: () => transactor.abort(),
    close: () => transactor.close(),
    async commit(): Promise<TransactionOutcome> {
      const outcome = script.shift() ?? 'committed'
      const error = new Error(`scripted: ${outcome}`)
      switch (outcome) {
        case 'committed':
          return transactor.commit()
        case 'unknown-committed':
          await transactor.commit()
          return { kind: 'unknown', error }
        case 'unknown-aborted':
          return { kind: 'unknown', error }
        case 'aborted':
          await transactor.abort()
          return { kind: 'aborted', error }
        case 'fenced':
          return { kind: 'fenced', error }
        default:
          return outcome satisfies never
      }
    },
  }
}
