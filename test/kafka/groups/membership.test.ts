/** Groups on real Kafka, beyond the conformance suite: crashes, zombies, restarts, tools, a coordinator that goes away. */
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { systemClock } from '#core'
import type { Log } from '#log'
import { TestMember } from '../../../log/conformance/groups.ts'
import { startGuarded } from '../../servers/guarded-process.ts'
import { apiKeys, kafka, kafkaTools, startKafka } from '../../servers/kafka/index.ts'
import { eventually } from '../../system/eventually.ts'
import { connect, makeTopic, proxied, request } from '../driver/kafka-logs.ts'

/** For members that are away for a while and must not be missed, however slow the machine is. */
const sessionTimeoutMs = 30_000

/** Each partition has one owner. */
function isShared(members: readonly TestMember[], partitions: number): boolean {
  const owned = members.flatMap((member) => [...member.owned])
  const sizes = members.map((member) => member.owned.size)
  const isBalanced = Math.max(...sizes) - Math.min(...sizes) <= 1
  return isBalanced && owned.length === partitions && new Set(owned).size === partitions
}

/** Nobody has yet to hear of the last round. */
function isSettled(members: readonly TestMember[], partitions: number): boolean {
  return (
    isShared(members, partitions) && new Set(members.map((member) => member.metadata().generation)).size === 1
  )
}

async function setUp(
  partitions = 6,
): Promise<{ shared: ReturnType<typeof kafka>; log: Log; topic: string; group: string }> {
  const shared = kafka()
  const log = await connect(shared.brokers)
  const topic = await makeTopic(log, `${shared.prefix}in`, partitions)
  return { shared, log, topic, group: `${shared.prefix}group` }
}

it('three members share, and whoever is left takes over', async () => {
  const { shared, log, topic, group } = await setUp()
  const members = [await new TestMember('a', []).join(log, group, [topic])]
  for (const name of ['b', 'c']) {
    members.push(await new TestMember(name, []).join(await connect(shared.brokers), group, [topic]))
    await eventually('all share', () => isShared(members, 6))
  }
  await members.pop()?.leave()
  await eventually('two share', () => isShared(members, 6))
})

it('Kafka shows who has which partition', async () => {
  const { shared, log, topic, group } = await setUp(2)
  const members = [
    await new TestMember('a', []).join(log, group, [topic]),
    await new TestMember('b', []).join(await connect(shared.brokers), group, [topic], { instanceId: 'two' }),
  ]
  await eventually('both share', () => isShared(members, 2))
  const transactor = await log.transactor(`${shared.prefix}tx`)
  const [first] = members
  const metadata = first?.metadata() ?? { group, generation: -1, memberId: '' }
  expect(await transactor.prepare({ ...request(topic, group, 1, ['x']), group: metadata })).toBeUndefined()
  expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
  const printed = await kafkaTools(shared.brokers).describeGroup(group)
  for (const member of members) {
    const [partition] = [...member.owned].map((name) => name.slice(topic.length + 1))
    const { memberId } = member.metadata()
    expect(printed).toMatch(new RegExp(`${topic}\\s+${partition}\\s.*${memberId}`))
  }
})

it('a member that is cut off loses everything, is fenced, and comes back as another one', async () => {
  const { shared, log, topic, group } = await setUp(4)
  const proxy = await proxied(shared)
  const survivor = await new TestMember('a', []).join(log, group, [topic])
  const zombie = await new TestMember('b', []).join(await connect(proxy.brokers), group, [topic])
  await eventually('both share', () => isShared([survivor, zombie], 4))
  const before = zombie.metadata()
  proxy.refuse()
  await eventually('the survivor has all', () => survivor.owned.size === 4)
  expect(zombie.owned.size).toBe(2)
  const transactor = await log.transactor(`${shared.prefix}tx`)
  expect(await transactor.prepare({ ...request(topic, group, 1, ['x']), group: before })).toMatchObject({
    kind: 'fenced',
  })
  proxy.restore()
  await eventually('both share again', () => isShared([survivor, zombie], 4))
  expect(zombie.events.filter((event) => event.startsWith('b lost')).length).toBe(2)
  expect(zombie.metadata().memberId).not.toBe(before.memberId)
  expect(await zombie.membership?.confirm()).toBe(true)
})

it('a process that is paused for longer than its session wakes up as a new member', async () => {
  const { shared, log, topic, group } = await setUp(4)
  const survivor = await new TestMember('a', []).join(log, group, [topic])
  const script = fileURLToPath(new URL('test-member-child.ts', import.meta.url))
  const child = startGuarded({
    command: [process.execPath, script, shared.brokers, group, topic],
    stopSignal: 'KILL',
  })
  try {
    await eventually('both share', () => /assigned \d,\d\n/.test(child.output()))
    const before = survivor.metadata().generation
    await child.signal('STOP')
    await eventually('the survivor has all', () => survivor.owned.size === 4)
    await child.signal('CONT')
    await eventually('both share again', () => survivor.owned.size === 2)
    await eventually('it was told', () =>
      /lost \d,\d\n(assigned [^\n]*\n)*assigned \d,\d\n/.test(child.output()),
    )
    expect(survivor.metadata().generation).toBeGreaterThan(before)
  } finally {
    await child.stop()
  }
})

it('a short cut changes nothing', async () => {
  const { shared, log, topic, group } = await setUp(4)
  const proxy = await proxied(shared)
  const events: string[] = []
  const members = [
    await new TestMember('a', []).join(log, group, [topic]),
    await new TestMember('b', events).join(await connect(proxy.brokers), group, [topic]),
  ]
  await eventually('both share', () => isSettled(members, 4))
  const { generation } = members[0]?.metadata() ?? {}
  const told = events.length
  for (let cut = 0; cut < 5; cut++) {
    proxy.cut()
    await systemClock.sleep(400)
  }
  expect(await members[1]?.membership?.confirm()).toBe(true)
  expect(events.length).toBe(told)
  expect(members[0]?.metadata().generation).toBe(generation)
})

it('a member that comes back under its instance id takes its place without another round', async () => {
  const { shared, log, topic, group } = await setUp(4)
  const proxy = await proxied(shared)
  const bystander = await new TestMember('a', []).join(log, group, [topic], { sessionTimeoutMs })
  const crashed = await new TestMember('b', []).join(await connect(proxy.brokers), group, [topic], {
    instanceId: 'two',
    sessionTimeoutMs,
  })
  await eventually('both share', () => isSettled([bystander, crashed], 4))
  const { generation } = bystander.metadata()
  const told = bystander.events.length
  const owned = [...crashed.owned].toSorted()
  // Connecting takes time, and the session runs from the cut on.
  const returning = await connect(shared.brokers)
  proxy.refuse()
  const successor = await new TestMember('c', []).join(returning, group, [topic], {
    instanceId: 'two',
    sessionTimeoutMs,
  })
  await eventually('it has what it had', () => successor.owned.size === 2)
  expect([...successor.owned].toSorted()).toEqual(owned)
  expect(successor.metadata().generation).toBe(generation)
  expect(bystander.metadata().generation).toBe(generation)
  expect(bystander.events.length).toBe(told)
  proxy.restore()
  await eventually('the one before has ended', () => crashed.events.includes('b ended'))
})

it('members whose event loop stands still for longer than their session stay', async () => {
  const { log, topic, group } = await setUp(2)
  const events: string[] = []
  const member = await new TestMember('a', events).join(log, group, [topic])
  await eventually('it has all', () => member.owned.size === 2)
  const { memberId } = member.metadata()
  // The thread that sends heartbeats comes after two seconds, and has to be loaded.
  await systemClock.sleep(6000)
  const wait = new Int32Array(new SharedArrayBuffer(4))
  Atomics.wait(wait, 0, 0, 8000)
  expect(await member.membership?.confirm()).toBe(true)
  expect(member.metadata().memberId).toBe(memberId)
  expect(events.some((event) => event.includes('lost'))).toBe(false)
})

it('members keep what they have while the coordinator restarts and moves', { timeout: 400_000 }, async () => {
  const cluster = await startKafka({ nodes: 3 })
  try {
    const log = await connect(cluster.brokers)
    const topic = await makeTopic(log, 'in', 6)
    const events: string[] = []
    const members = [
      await new TestMember('a', events).join(log, 'group', [topic], { sessionTimeoutMs }),
      await new TestMember('b', events).join(await connect(cluster.brokers), 'group', [topic], {
        sessionTimeoutMs,
      }),
    ]
    await eventually('both share', () => isShared(members, 6))
    const told = events.length
    for (const node of cluster.nodes) await node.restart()
    for (const member of members) expect(await member.membership?.confirm()).toBe(true)
    expect(events.slice(told)).toEqual([])
    members.push(await new TestMember('c', events).join(await connect(cluster.brokers), 'group', [topic]))
    await eventually('three share', () => isShared(members, 6))
    for (const member of members) await member.leave()
  } finally {
    await cluster.stop()
  }
})

it(
  'a member that came back joins again when its coordinator dies in that round',
  { timeout: 400_000 },
  async () => {
    const cluster = await startKafka()
    try {
      const proxy = await proxied(cluster)
      const log = await connect(cluster.brokers)
      const topic = await makeTopic(log, 'in', 6)
      const join = async (name: string, on: Log, instanceId?: string): Promise<TestMember> =>
        new TestMember(name, []).join(on, 'group', [topic], {
          sessionTimeoutMs,
          ...(instanceId === undefined ? {} : { instanceId }),
        })
      const leader = await join('a', await connect(proxy.brokers))
      const before = await join('b', log, 'two')
      await eventually('both share', () => isSettled([leader, before], 6))
      const { memberId } = before.metadata()
      // The round waits for the leader, and whoever comes meanwhile is only in the coordinator's memory.
      const joinGroups = proxy.rule({ direction: 'request', apiKey: apiKeys.joinGroup }, 'hold')
      const newcomer = join('c', await connect(cluster.brokers))
      await eventually('the leader is asked to join', () => joinGroups.hits > 0)
      const returning = join('d', await connect(cluster.brokers), 'two')
      await eventually('the one before has ended', () => before.events.includes('b ended'))
      const syncGroups = proxy.rule({ direction: 'request', apiKey: apiKeys.syncGroup }, 'hold')
      joinGroups.release()
      const members = [leader, await newcomer, await returning]
      expect(members[2]?.metadata().memberId).not.toBe(memberId)
      await cluster.nodes[0]?.kill()
      await cluster.nodes[0]?.start()
      syncGroups.release()
      await eventually('three share', () => isSettled(members, 6))
      expect(members.flatMap(({ events }) => events).filter((event) => event.endsWith('ended'))).toEqual([])
    } finally {
      await cluster.stop()
    }
  },
)
