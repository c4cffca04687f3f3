import type { Log, Transactor, TransactorOptions } from '#log'

/** `log` as it is, but for its transactors: those that `open` makes of them. */
export function withTransactors(
  log: Log,
  open: (transactionalId: string, options?: TransactorOptions) => Promise<Transactor>,
): Log {
  return {
    clusterId: log.clusterId,
    admin: log.admin,
    appender: (options) => log.appender(options),
    reader: (options) => log.reader(options),
    join: (options) => log.join(options),
    transactor: open,
    close: () => log.close(),
  }
}
