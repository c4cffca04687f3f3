/** Kafka shows what was committed a few milliseconds after the commit: the suite wants to see it at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log, TransactionRequest, Transactor } from '#log'
import { withTransactors } from '../../processor/testing/with-transactors.ts'

const withinMs = 60_000

/** A log whose transactors resolve `commit` once readers see what was committed. */
export function visibleLog(log: Log): Log {
  return withTransactors(log, async (id, options) =>
    visibleTransactor(log, await log.transactor(id, options)),
  )
}

function visibleTransactor(log: Log, transactor: Transactor): Transactor {
  let last: TransactionRequest | undefined
  /** Markers of this transaction are written everywhere. */
  const settled = async (ends: readonly number[]): Promise<void> => {
    if (last === undefined) return
    const { appends, group, offsets } = last
    last = undefined
    const until = Date.now() + withinMs
    const places = appends.map(({ topic, partition }) => ({ topic, partition }))
    while (Date.now() < until) {
      const listed = await log.admin.offsets(places)
      // Not what is stable: the next transaction may be open already.
      const committed = await log.admin.committedOffsets(group.group, offsets, { requireStable: false })
      const isVisible =
        listed.every(({ lastStableOffset }, index) => lastStableOffset >= (ends[index] ?? 0)) &&
        committed.every(({ offset }, index) => offset === offsets[index]?.offset)
      if (isVisible) return
      await sleep(2)
    }
    throw new Error('what was committed did not become visible')
  }
  return {
    transactionalId: transactor.transactionalId,
    prepare(request) {
      last = request
      return transactor.prepare(request)
    },
    async commit() {
      const outcome = await transactor.commit()
      if (outcome.kind === 'committed') await settled(outcome.endOffsets)
      return outcome
    },
    abort: () => transactor.abort(),
    close: () => transactor.close(),
  }
}
