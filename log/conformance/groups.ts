import { expect } from 'vitest'
import { partitionName } from '../index.ts'
import type { Assignor, GroupMetadata, Log, Membership } from '../index.ts'
import { freshName, readAll, valuesOf } from './harness.ts'
import type { Define } from './harness.ts'
import { stickyAssignor } from './sticky-assignor.ts'
import { alone, committed, request } from './transactions.ts'

/** A member that writes down what it is told. */
export class TestMember {
  readonly name: string
  readonly owned = new Set<string>()
  readonly events: string[]
  userData = ''
  /** When set, `revoked` waits for it. */
  hold: Promise<void> | undefined
  membership: Membership | undefined

  constructor(name: string, events: string[]) {
    this.name = name
    this.events = events
  }

  async join(
    log: Log,
    group: string,
    topics: readonly string[],
    options: {
      readonly assignor?: Assignor
      readonly instanceId?: string
      readonly sessionTimeoutMs?: number
    } = {},
  ): Promise<this> {
    this.membership = await log.join({
      group,
      topics,
      assignor: stickyAssignor,
      ...options,
      userData: () => Buffer.from(this.name),
      listener: {
        assigned: async (partitions, userData) => {
          this.userData = Buffer.from(userData).toString()
          for (const partition of partitions) {
            this.owned.add(partitionName(partition))
            this.events.push(`${this.name} assigned ${partition.partition}`)
          }
        },
        revoked: async (partitions) => {
          for (const { partition } of partitions) this.events.push(`${this.name} revoking ${partition}`)
          await this.hold
          for (const partition of partitions) {
            this.owned.delete(partitionName(partition))
            this.events.push(`${this.name} revoked ${partition.partition}`)
          }
        },
        lost: async (partitions) => {
          for (const partition of partitions) {
            this.owned.delete(partitionName(partition))
            this.events.push(`${this.name} lost ${partition.partition}`)
          }
        },
        ended: () => this.events.push(`${this.name} ended`),
      },
    })
    return this
  }

  metadata(): GroupMetadata {
    if (this.membership === undefined) throw new Error(`${this.name} has not joined`)
    return this.membership.metadata()
  }

  async leave(): Promise<void> {
    await this.membership?.leave()
  }
}

export function groupTests(define: Define): void {
  define('gives a single member everything', async ({ log, topic, until }) => {
    const name = await topic(3)
    const group = freshName('group')
    const member = await new TestMember('a', []).join(log, group, [name])
    await until('all is assigned', () => member.owned.size === 3)
    expect(member.metadata()).toMatchObject({ group })
    expect(member.metadata().generation).toBeGreaterThanOrEqual(0)
    expect(member.userData).toBe('a')
    await member.leave()
    expect(member.owned.size).toBe(0)
    expect(member.events.filter((event) => event.includes('revoked')).length).toBe(3)
  })

  define(
    'moves only what changes owner, and only after it was revoked',
    async ({ log, connect, topic, until }) => {
      const name = await topic(4)
      const group = freshName('group')
      const events: string[] = []
      const first = await new TestMember('a', events).join(log, group, [name])
      await until('a owns all', () => first.owned.size === 4)
      const generation = first.metadata().generation
      const second = await new TestMember('b', events).join(await connect(), group, [name])
      await until('both own half', () => first.owned.size === 2 && second.owned.size === 2)
      for (const moved of second.owned) {
        const partition = moved.slice(name.length + 1)
        expect(events.indexOf(`a revoked ${partition}`)).toBeGreaterThan(-1)
        expect(events.indexOf(`a revoked ${partition}`)).toBeLessThan(
          events.indexOf(`b assigned ${partition}`),
        )
      }
      expect(events.filter((event) => event.startsWith('a revoked')).length).toBe(2)
      expect(first.metadata().generation).toBeGreaterThan(generation)
      await until(
        'both were told the same',
        () => first.userData.length === 3 && second.userData.length === 3,
      )
      await second.leave()
      await until('a owns all again', () => first.owned.size === 4)
      await first.leave()
    },
  )

  define(
    'does not hand a partition over before its revocation resolved',
    async ({ log, connect, topic, until, sleep }) => {
      const name = await topic(2)
      const group = freshName('group')
      const events: string[] = []
      const first = await new TestMember('a', events).join(log, group, [name])
      await until('a owns all', () => first.owned.size === 2)
      const held = Promise.withResolvers<void>()
      first.hold = held.promise
      const second = await new TestMember('b', events).join(await connect(), group, [name])
      await until('a is asked to revoke', () => events.some((event) => event.startsWith('a revoking')))
      await sleep(30)
      expect(second.owned.size).toBe(0)
      held.resolve()
      await until('b owns one', () => second.owned.size === 1)
      first.hold = undefined
      await second.leave()
      await first.leave()
    },
  )

  define('revokes each partition once from a member that leaves while it is revoked', async (context) => {
    const { log, connect, topic, until, sleep } = context
    const name = await topic(2)
    const group = freshName('group')
    const events: string[] = []
    const first = await new TestMember('a', events).join(log, group, [name])
    await until('a owns all', () => first.owned.size === 2)
    const held = Promise.withResolvers<void>()
    first.hold = held.promise
    const second = await new TestMember('b', events).join(await connect(), group, [name])
    await until('a is asked to revoke', () => events.some((event) => event.startsWith('a revoking')))
    const leaving = first.leave()
    await sleep(20)
    held.resolve()
    await leaving
    await until('b owns all', () => second.owned.size === 2)
    for (const partition of [0, 1]) {
      expect(events.filter((event) => event === `a revoked ${partition}`).length).toBe(1)
      expect(events.indexOf(`a revoked ${partition}`)).toBeLessThan(events.indexOf(`b assigned ${partition}`))
    }
    await second.leave()
  })

  define(
    'lets an owner commit while it is being revoked, and not afterwards',
    async ({ log, connect, topic, until }) => {
      const name = await topic(2)
      const group = freshName('group')
      const events: string[] = []
      const first = await new TestMember('a', events).join(log, group, [name])
      await until('a owns all', () => first.owned.size === 2)
      const old = first.metadata()
      const transactor = await log.transactor(freshName('tx'))
      expect(await transactor.prepare(request(name, old, 1, [['a']]))).toBeUndefined()
      expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
      const held = Promise.withResolvers<void>()
      first.hold = held.promise
      const second = await new TestMember('b', events).join(await connect(), group, [name])
      await until('a is asked to revoke', () => events.some((event) => event.startsWith('a revoking')))
      expect(await transactor.prepare(request(name, first.metadata(), 2, [['b']]))).toBeUndefined()
      expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
      held.resolve()
      await until('b owns one', () => second.owned.size === 1)
      await until('a is in the next generation', () => first.metadata().generation > old.generation)
      expect(await transactor.prepare(request(name, old, 3, [['stale']]))).toMatchObject({ kind: 'fenced' })
      await transactor.abort()
      expect(await transactor.prepare(request(name, first.metadata(), 4, [['c']]))).toBeUndefined()
      expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
      expect(valuesOf(await readAll(log, name))).toEqual(['a', 'b', 'c'])
      expect(await committed(log, group, name)).toBe(4)
      await transactor.close()
      await second.leave()
      await first.leave()
    },
  )

  define('fences whoever is not a member while the group has members', async ({ log, topic, until }) => {
    const name = await topic()
    const group = freshName('group')
    const member = await new TestMember('a', []).join(log, group, [name])
    await until('a owns all', () => member.owned.size === 1)
    const metadata = member.metadata()
    const transactor = await log.transactor(freshName('tx'))
    for (const stranger of [alone(group), { ...metadata, memberId: 'somebody-else' }]) {
      expect(await transactor.prepare(request(name, stranger, 1, [['x']]))).toMatchObject({ kind: 'fenced' })
      await transactor.abort()
    }
    await member.leave()
    expect(await transactor.prepare(request(name, metadata, 2, [['y']]))).toMatchObject({ kind: 'fenced' })
    await transactor.abort()
    expect(await transactor.prepare(request(name, alone(group), 3, [['z']]))).toBeUndefined()
    expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
    expect(valuesOf(await readAll(log, name))).toEqual(['z'])
    await transactor.close()
  })

  define('serves members that come and go at once', async ({ log, connect, topic, until }) => {
    const name = await topic(6)
    const group = freshName('group')
    const others = [log, await connect(), await connect()]
    const members = await Promise.all(
      others.map((client, index) => new TestMember(`m${index}`, []).join(client, group, [name])),
    )
    await until('everyone owns two', () => members.every((member) => member.owned.size === 2))
    expect(new Set(members.flatMap((member) => [...member.owned])).size).toBe(6)
    const [first, ...rest] = members
    await Promise.all(rest.map((member) => member.leave()))
    await until('the first owns all', () => first?.owned.size === 6)
    await first?.leave()
  })

  define('goes round again when a member asks for it', async ({ log, topic, until }) => {
    const name = await topic()
    const group = freshName('group')
    let rounds = 0
    const assignor: Assignor = (...args) => {
      rounds++
      return stickyAssignor(...args)
    }
    const member = await new TestMember('a', []).join(log, group, [name], { assignor })
    await until('a owns all', () => member.owned.size === 1)
    const before = rounds
    member.membership?.rebalance()
    await until('there was another round', () => rounds > before)
    expect(member.events).toEqual(['a assigned 0'])
    await member.leave()
  })

  define('confirms who is a member, and whom another one has replaced not', async (context) => {
    const { log, connect, topic, until } = context
    const name = await topic(2)
    const group = freshName('group')
    const first = await new TestMember('a', []).join(log, group, [name], { instanceId: 'one' })
    await until('a owns all', () => first.owned.size === 2)
    expect(await first.membership?.confirm()).toBe(true)
    const second = await new TestMember('b', []).join(await connect(), group, [name], { instanceId: 'one' })
    await until('b owns all', () => second.owned.size === 2)
    await until('a has ended', () => first.events.includes('a ended'))
    expect(first.owned.size).toBe(0)
    expect(first.events.filter((event) => event.startsWith('a lost')).length).toBe(2)
    expect(await first.membership?.confirm()).toBe(false)
    expect(await second.membership?.confirm()).toBe(true)
    const transactor = await log.transactor(freshName('tx'))
    expect(await transactor.prepare(request(name, first.metadata(), 1, [['x']]))).toMatchObject({
      kind: 'fenced',
    })
    await transactor.abort()
    expect(await transactor.prepare(request(name, second.metadata(), 1, [['y']]))).toBeUndefined()
    expect(await transactor.commit()).toMatchObject({ kind: 'committed' })
    await transactor.close()
    await first.leave()
    await second.leave()
  })

  define('takes out a member by its instance id, and the others have its partitions', async (context) => {
    const { log, connect, topic, until } = context
    const name = await topic(2)
    const group = freshName('group')
    const dead = await new TestMember('a', []).join(log, group, [name], { instanceId: 'one' })
    await until('a owns all', () => dead.owned.size === 2)
    // Nothing of this one's own log is asked: the dead one's may be gone.
    const other = await connect()
    await other.admin.removeMember(group, 'nobody')
    expect(await dead.membership?.confirm()).toBe(true)
    const stale = dead.metadata()
    await other.admin.removeMember(group, 'one')
    const heir = await new TestMember('b', []).join(other, group, [name])
    await until(
      'a has lost all',
      () => dead.events.filter((event) => event.startsWith('a lost')).length === 2,
    )
    const transactor = await log.transactor(freshName('tx'))
    expect(await transactor.prepare(request(name, stale, 1, [['x']]))).toMatchObject({ kind: 'fenced' })
    await transactor.abort()
    await transactor.close()
    await dead.leave()
    await until('b owns all', () => heir.owned.size === 2)
    await heir.leave()
  })

  define('refuses to delete a group with members', async ({ log, topic, until }) => {
    const name = await topic()
    const group = freshName('group')
    const member = await new TestMember('a', []).join(log, group, [name])
    await until('a owns all', () => member.owned.size === 1)
    await expect(log.admin.deleteGroup(group)).rejects.toMatchObject({ code: 'LOG_INVALID_REQUEST' })
    await member.leave()
    await log.admin.deleteGroup(group)
  })
}

export function groupKillTests(define: Define): void {
  define(
    'gives the partitions of a crashed member to the others',
    async ({ log, connect, topic, until, kill }) => {
      const name = await topic(2)
      const group = freshName('group')
      const survivor = await new TestMember('a', []).join(log, group, [name])
      const client = await connect()
      const victim = await new TestMember('b', []).join(client, group, [name])
      await until('both own one', () => survivor.owned.size === 1 && victim.owned.size === 1)
      const stale = victim.metadata()
      await kill?.(client)
      await until('the survivor owns all', () => survivor.owned.size === 2)
      const transactor = await log.transactor(freshName('tx'))
      expect(await transactor.prepare(request(name, stale, 1, [['x']]))).toMatchObject({ kind: 'fenced' })
      await transactor.close()
      await survivor.leave()
    },
  )
}
