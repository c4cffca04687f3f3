/** The simulation can find bugs: each known one, planted, turns one of a bounded number of seeds red. */
import { expect, test } from 'vitest'
import type {
  Log,
  LogAdmin,
  PartitionOffsets,
  TransactionOutcome,
  TransactionRequest,
  Transactor,
} from '#log'
import { FollowedTask } from '../../processor/standby/followed-task.ts'
import { TransactionOutputs } from '../../processor/transaction-outputs.ts'
import { TaskState } from '#state'
import { runSeed } from './run.ts'
import type { SimulationTransactor, WorldOptions } from './world.ts'

type Plant = Pick<WorldOptions, 'plantLog' | 'plantBroker'>

const seedsMax = 300

/** The first seed that goes red, and why. */
async function find(plant: Plant, pattern: RegExp): Promise<string | undefined> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { violations } = await runSeed({ seed, ...plant })
    const found = violations.find((violation) => pattern.test(violation))
    if (found !== undefined) return found
  }
  return undefined
}

function withTransactors(change: (transactor: Transactor) => Partial<Transactor>): Plant {
  return {
    plantLog: (log) => ({
      ...portOf(log),
      transactor: async (id, options) => {
        const real = await log.transactor(id, options)
        return { ...transactorOf(real), ...change(real) }
      },
    }),
  }
}

function withAdmin(change: (admin: LogAdmin) => Partial<LogAdmin>): Plant {
  return {
    plantLog: (log) => {
      const { admin } = log
      const same: LogAdmin = {
        ensureTopics: (topics) => admin.ensureTopics(topics),
        describeTopics: (names) => admin.describeTopics(names),
        deleteTopics: (names) => admin.deleteTopics(names),
        offsets: (partitions) => admin.offsets(partitions),
        deleteRecords: (before) => admin.deleteRecords(before),
        committedOffsets: (group, partitions, options) => admin.committedOffsets(group, partitions, options),
        openTransactions: (partitions) => admin.openTransactions(partitions),
        removeMember: (group, instanceId) => admin.removeMember(group, instanceId),
        deleteGroup: (group) => admin.deleteGroup(group),
      }
      return { ...portOf(log), admin: { ...same, ...change(admin) } }
    },
  }
}

function portOf(log: Log): Log {
  return {
    clusterId: log.clusterId,
    admin: log.admin,
    appender: (options) => log.appender(options),
    reader: (options) => log.reader(options),
    transactor: (id, options) => log.transactor(id, options),
    join: (options) => log.join(options),
    close: () => log.close(),
  }
}

function transactorOf(real: Transactor): Transactor {
  return {
    transactionalId: real.transactionalId,
    prepare: (request) => real.prepare(request),
    commit: () => real.commit(),
    abort: () => real.abort(),
    close: () => real.close(),
  }
}

function endOffsetsOf(transactor: Transactor): readonly number[] {
  return (transactor as SimulationTransactor).endOffsets()
}

/** For the time of one search, a method of the engine is another. */
async function withMethod<T extends object, K extends keyof T>(
  owner: T,
  name: K,
  method: T[K],
  search: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const real = owner[name]
  owner[name] = method
  try {
    return await search()
  } finally {
    owner[name] = real
  }
}

test('state that is settled before the outcome of its transaction is known', async () => {
  const plant = withTransactors((real) => ({
    commit: async (): Promise<TransactionOutcome> => {
      const endOffsets = endOffsetsOf(real)
      void real.commit()
      return { kind: 'committed', endOffsets }
    },
  }))
  expect(await find(plant, /result|outputs-once|state-is-fold/)).toBeDefined()
})

test('offsets that are not part of the transaction', async () => {
  const plant = withTransactors((real) => ({
    prepare: (request: TransactionRequest) =>
      real.prepare({ ...request, offsets: request.offsets.map((place) => ({ ...place, offset: 0 })) }),
  }))
  expect(await find(plant, /position-is-offset/)).toBeDefined()
})

test('a transaction that is prepared before the one before it is acknowledged', async () => {
  const plant = withTransactors((real) => {
    let preparing: ReturnType<Transactor['prepare']> | undefined
    return {
      prepare: async (request: TransactionRequest) => {
        preparing = real.prepare(request)
        return undefined
      },
      commit: async () => (await preparing) ?? real.commit(),
      abort: async () => {
        await preparing
        await real.abort()
      },
    }
  })
  expect(await find(plant, /offsets-grow|outputs-once|position-is-offset/)).toBeDefined()
})

test('a restore that stops before the high watermark', async () => {
  const plant = withAdmin((admin) => ({
    offsets: async (partitions) => {
      const offsets: PartitionOffsets[] = []
      for (const place of await admin.offsets(partitions)) {
        const early = place.topic.endsWith('-changelog') ? 4 : 0
        offsets.push({ ...place, highWatermark: Math.max(place.start, place.highWatermark - early) })
      }
      return offsets
    },
  }))
  expect(await find(plant, /outputs-once|position/)).toBeDefined()
})

test('a takeover that does not wait until offsets are stable', async () => {
  const plant = withAdmin((admin) => ({
    committedOffsets: (group, partitions) =>
      admin.committedOffsets(group, partitions, { requireStable: false }),
  }))
  expect(await find(plant, /outputs-once|offsets-grow/)).toBeDefined()
})

test('a poison record whose writes stay', async () => {
  const { rollback } = TaskState.prototype
  const search = () => find({}, /outputs-once|state-is-fold/)
  expect(await withMethod(TaskState.prototype, 'rollback', TaskState.prototype.release, search)).toBeDefined()
  expect(TaskState.prototype.rollback).toBe(rollback)
})

test('a poison record whose outputs stay', async () => {
  const search = () => find({}, /outputs-once/)
  const { release } = TransactionOutputs.prototype
  expect(await withMethod(TransactionOutputs.prototype, 'rollback', release, search)).toBeDefined()
})

test('an unknown outcome that is taken for an abort', async () => {
  const plant = withTransactors((real) => ({
    commit: async () => {
      const outcome = await real.commit()
      return outcome.kind === 'unknown' ? { ...outcome, kind: 'aborted' as const } : outcome
    },
  }))
  expect(await find(plant, /result|outputs-once|state-is-fold/)).toBeDefined()
})

test('an unknown outcome that is taken for a commit', async () => {
  const plant = withTransactors((real) => ({
    commit: async () => {
      const outcome = await real.commit()
      const endOffsets = endOffsetsOf(real)
      return outcome.kind === 'unknown' ? { kind: 'committed' as const, endOffsets } : outcome
    },
  }))
  expect(await find(plant, /result|outputs-once|state-is-fold/)).toBeDefined()
})

test('a log that does not fence members of before', async () => {
  const plant: Plant = {
    plantBroker: (broker) => {
      broker.groups.fencing = false
    },
  }
  expect(await find(plant, /outputs-once|offsets-grow/)).toBeDefined()
})

test('state that outlives a transaction that was given up', async () => {
  const search = () => find({}, /outputs-once|state-is-fold/)
  expect(await withMethod(TaskState.prototype, 'discard', () => {}, search)).toBeDefined()
})

test('a log that acknowledges what a power loss then takes', async () => {
  const plant: Plant = {
    plantBroker: (broker) => {
      broker.durability.wait = async () => {}
    },
  }
  expect(await find(plant, /is not in the log/)).toBeDefined()
})

test('a standby that moves on without having applied what it read', async () => {
  const found = await withMethod(
    FollowedTask.prototype,
    'apply',
    function skip(this: FollowedTask, changelog, { nextOffset }, now) {
      const { store, clusterId, topicId } = changelog
      this.state.advance(store, { clusterId, topicId, offset: nextOffset, writtenAt: now })
      changelog.position = changelog.read = nextOffset
      return 0
    },
    () => find({}, /state-is-fold/),
  )
  expect(found).toBeDefined()
})
