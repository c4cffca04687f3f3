/** A member and its coordinator's rarer answers. What a real group does is in test/kafka/groups. */
import { expect, onTestFinished, test } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { Clock } from '#core'
import { code } from '../broker-errors.ts'
import { Cluster } from '../cluster.ts'
import { findCoordinator } from '../protocol/find-coordinator.ts'
import { heartbeat, joinGroup, leaveGroup, syncGroup } from '../protocol/group-members.ts'
import { metadata } from '../protocol/metadata.ts'
import { coordinatorAt, startTestBroker } from '../testing/test-broker.ts'
import type { Answer, NoTestAnswer } from '../testing/test-broker.ts'
import { encodeAssignment, encodeSubscription } from './consumer-protocol.ts'
import { KafkaMembership } from './membership.ts'

const group = 'g'
const topic = 't'
const memberId = 'm'
const limits = { connectTimeout: 60_000, requestTimeout: 60_000 }
const nothing = new Uint8Array()

function joined(answered: number, { skipAssignment = false } = {}): Answer {
  return (out) => {
    out.i32(0)
    out.i16(answered)
    out.i32(1)
    out.string('consumer')
    out.string('millrace')
    out.string(memberId)
    out.bool(skipAssignment)
    out.string(memberId)
    out.array([memberId], (id) => {
      out.string(id)
      out.string(null)
      out.attach(encodeSubscription({ topics: [topic], userData: nothing, owned: [], generation: -1 }))
    })
    out.tags()
  }
}

const synced: Answer = (out) => {
  out.i32(0)
  out.i16(code.none)
  out.string('consumer')
  out.string('millrace')
  out.attach(encodeAssignment({ partitions: [], userData: nothing }))
  out.tags()
}

const beaten =
  (answered: number = code.none): Answer =>
  (out) => {
    out.i32(0)
    out.i16(answered)
    out.tags()
  }

const left: Answer = (out) => {
  out.i32(0)
  out.i16(code.none)
  out.array([memberId], (id) => {
    out.string(id)
    out.string(null)
    out.i16(code.none)
  })
  out.tags()
}

function topicOf(partitionCount: number): Answer {
  return (out) => {
    out.i32(0)
    out.array([], () => undefined)
    out.string('cluster')
    out.i32(1)
    out.array([topic], (name) => {
      out.i16(code.none)
      out.string(name)
      out.zeroUuid()
      out.bool(false)
      out.array([...Array(partitionCount).keys()], (partition) => {
        out.i16(code.none)
        out.i32(partition)
        out.i32(1)
        out.i32(0)
        for (const replicas of [[1], [1], []]) out.primitives(replicas, (node) => out.i32(node))
      })
      out.i32(0)
    })
    out.tags()
  }
}

interface Group {
  readonly cluster: Cluster
  readonly member: KafkaMembership
  readonly broker: Awaited<ReturnType<typeof startTestBroker>>
}

/** What is done once in a while is done often. */
const impatient: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 2), signal) }

/**
 * A broker that coordinates a group of one member.
 * @param unusual by API key, for each time that it is asked; undefined for the usual answer
 */
async function groupOfOne(
  unusual: Readonly<Record<number, (time: number, group: Group) => Answer | NoTestAnswer | undefined>>,
  clock: Clock = systemClock,
): Promise<Group> {
  const usual = new Map([
    [metadata.key, () => topicOf(1)],
    [findCoordinator.key, () => coordinatorAt(broker.address)],
    [joinGroup.key, () => joined(code.none)],
    [syncGroup.key, () => synced],
    [heartbeat.key, () => beaten()],
    [leaveGroup.key, () => left],
  ])
  const times = new Map<number, number>()
  const broker = await startTestBroker((key) => {
    const time = (times.get(key) ?? 0) + 1
    times.set(key, time)
    return unusual[key]?.(time, one) ?? usual.get(key)?.() ?? 'cut'
  })
  const cluster = new Cluster({
    bootstrap: [broker.address],
    connection: limits,
    clock,
    logger: silentLogger,
  })
  const listener = {
    assigned: () => Promise.resolve(),
    revoked: () => Promise.resolve(),
    lost: () => Promise.resolve(),
  }
  const assignor = (): ReadonlyMap<string, { partitions: []; userData: Uint8Array }> =>
    new Map([[memberId, { partitions: [], userData: nothing }]])
  const join = { group, instanceId: 'i', topics: [topic], assignor, listener }
  const member = new KafkaMembership({ cluster, connection: limits, join, onClosed: () => undefined })
  onTestFinished(async () => {
    await member.leave()
    await cluster.close()
  })
  const one = { cluster, member, broker }
  return one
}

test('heartbeats begin also when the coordinator is not to be found just after the round', async () => {
  let isLooking = false
  const { member, broker } = await groupOfOne({
    [joinGroup.key](_, { cluster }) {
      // As a transactor does that had no answer.
      cluster.forgetCoordinator('group', group)
      isLooking = true
      return undefined
    },
    [findCoordinator.key](_, { broker: { address } }) {
      if (!isLooking) return undefined
      isLooking = false
      return coordinatorAt(address, code.coordinatorNotAvailable)
    },
  })
  await member.join()
  await broker.untilAsked(heartbeat.key, 3)
  expect(broker.asked.filter((key) => key === joinGroup.key)).toHaveLength(1)
})

test('a leader that came back to a group which keeps its shares watches for topics that grow', async () => {
  const { member, broker } = await groupOfOne(
    {
      [joinGroup.key]: () => joined(code.none, { skipAssignment: true }),
      [metadata.key]: (time) => topicOf(time === 1 ? 1 : 2),
    },
    impatient,
  )
  await member.join()
  await broker.untilAsked(joinGroup.key, 2)
})

test('a leader joins again and leaves while brokers do not say whether topics have grown', async () => {
  const { member, broker } = await groupOfOne(
    { [metadata.key]: (time) => (time === 1 ? undefined : 'silence') },
    impatient,
  )
  await member.join()
  await broker.untilAsked(metadata.key, 2)
  member.rebalance()
  await broker.untilAsked(joinGroup.key, 2)
  await member.leave()
  expect(broker.asked).toContain(leaveGroup.key)
})

test('a member does not take a request of its own that was late for another member', async () => {
  const { member, broker } = await groupOfOne({
    [joinGroup.key]: (time) => (time === 1 ? joined(code.fencedInstanceId) : undefined),
  })
  await member.join()
  expect(broker.asked.filter((key) => key === joinGroup.key)).toHaveLength(2)
})

test('a member does not fight with another one for an instance id', async () => {
  const { member, broker } = await groupOfOne({
    [joinGroup.key]: () => joined(code.fencedInstanceId),
  })
  await expect(member.join()).rejects.toMatchObject({ code: 'LOG_FENCED' })
  expect(broker.asked.filter((key) => key === joinGroup.key)).toHaveLength(2)
})

test('a member that a heartbeat takes for another one asks by joining, and stays', async () => {
  const { member, broker } = await groupOfOne({
    [heartbeat.key]: (time) => (time === 1 ? beaten(code.fencedInstanceId) : undefined),
  })
  await member.join()
  await broker.untilAsked(joinGroup.key, 2)
  expect(await member.confirm()).toBe(true)
  expect(broker.asked.filter((key) => key === joinGroup.key)).toHaveLength(2)
})

test('a member that joining takes for another one as well has ended', async () => {
  const { member, broker } = await groupOfOne({
    [heartbeat.key]: () => beaten(code.fencedInstanceId),
    [joinGroup.key]: (time) => (time === 2 ? joined(code.fencedInstanceId) : undefined),
  })
  await member.join()
  await broker.untilAsked(joinGroup.key, 2)
  expect(await member.confirm()).toBe(false)
  expect(broker.asked.filter((key) => key === joinGroup.key)).toHaveLength(2)
})
