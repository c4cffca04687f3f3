import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planTasks } from './plan.ts'
import type { Plan, PlanOptions, PlannedMember, PlannedTask } from './plan.ts'

const runs = { seed: 1, numRuns: 400 }

function tasksOf(subtopology: number, count: number, isStateful: boolean): PlannedTask[] {
  return Array.from({ length: count }, (_, at) => ({ id: `${subtopology}_${at}`, isStateful }))
}

const taskLists = fc
  .record({ stateful: fc.nat(14), stateless: fc.nat(6) })
  .map(({ stateful, stateless }): PlannedTask[] =>
    tasksOf(0, stateful, true).concat(tasksOf(1, stateless, false)),
  )

/** Processes with one to three members of one to three threads each; owners, followers and states at random. */
const groups = taskLists.chain((tasks) => {
  const some = fc.subarray(tasks.map(({ id }) => id))
  const member = fc.record({
    process: fc.constantFrom('p', 'q', 'r', 's'),
    capacity: fc.integer({ min: 1, max: 3 }),
    following: some,
    positions: fc.dictionary(fc.constantFrom(...tasks.map(({ id }) => id), 'gone'), fc.nat(40_000)),
  })
  return fc.record({
    tasks: fc.constant(tasks),
    members: fc.array(member, { minLength: 1, maxLength: 6 }),
    // -1: nobody.
    owners: fc.array(fc.integer({ min: -1, max: 5 }), { minLength: tasks.length, maxLength: tasks.length }),
  })
})

function membersOf({
  tasks,
  members,
  owners,
}: typeof groups extends fc.Arbitrary<infer T> ? T : never): PlannedMember[] {
  return members.map(({ process, capacity, following, positions }, number) => ({
    id: `m${number}`,
    process,
    capacity,
    active: new Set(tasks.filter((_, at) => owners[at] === number).map(({ id }) => id)),
    following: new Set(following),
    positions: new Map(Object.entries(positions)),
  }))
}

const optionSets = fc.record({
  standbys: fc.nat(2),
  acceptableLag: fc.constantFrom(0, 10_000, Infinity),
  warmUpsMax: fc.nat(2),
})

const atOnce: PlanOptions = { standbys: 0, acceptableLag: Infinity, warmUpsMax: 0 }

/** Of the state in a member's process, behind the best. */
function lagOf(members: readonly PlannedMember[], memberId: string, task: string): number {
  const process = members.find(({ id }) => id === memberId)?.process
  const best = (some: readonly PlannedMember[]): number =>
    Math.max(0, ...some.map(({ positions }) => positions.get(task) ?? 0))
  return best(members) - best(members.filter((member) => member.process === process))
}

function ownersOf({ members }: Plan): Map<string, string> {
  return new Map([...members].flatMap(([member, { active }]) => active.map((task) => [task, member])))
}

/** What the members have once they have done what the plan says, and caught up. */
function after(plan: Plan, members: readonly PlannedMember[]): PlannedMember[] {
  return members.map((member) => {
    const { active, standby, warmUp } = plan.members.get(member.id) ?? { active: [], standby: [], warmUp: [] }
    const held = [...active, ...standby, ...warmUp]
    return {
      ...member,
      active: new Set(active),
      following: new Set([...standby, ...warmUp]),
      positions: new Map([...member.positions, ...held.map((id) => [id, 50_000] as const)]),
    }
  })
}

describe('whatever members have', () => {
  test('every task has one owner, and the order of members is no matter', () => {
    fc.assert(
      fc.property(groups, optionSets, (group, options) => {
        const members = membersOf(group)
        const plan = planTasks(group.tasks, members, options)
        const active = [...plan.members.values()].flatMap((one) => one.active)
        expect(active.toSorted()).toEqual(group.tasks.map(({ id }) => id).toSorted())
        expect(planTasks(group.tasks, members.toReversed(), options)).toEqual(plan)
      }),
      runs,
    )
  })

  test('loads a thread differ by one task at most where tasks move at once', () => {
    fc.assert(
      fc.property(groups, (group) => {
        const members = membersOf(group)
        const plan = planTasks(group.tasks, members, atOnce)
        const loads = members.map(({ id, capacity }) => (plan.members.get(id)?.active.length ?? 0) / capacity)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      }),
      runs,
    )
  })

  test('copies lie on other processes, as many as there can be', () => {
    fc.assert(
      fc.property(groups, optionSets, (group, options) => {
        const members = membersOf(group)
        const plan = planTasks(group.tasks, members, options)
        const processOf = new Map(members.map(({ id, process }) => [id, process]))
        const processes = new Set(processOf.values()).size
        const owners = ownersOf(plan)
        for (const { id, isStateful } of group.tasks) {
          const holders = (kind: 'standby' | 'warmUp'): (string | undefined)[] =>
            [...plan.members]
              .filter(([, one]) => one[kind].includes(id))
              .map(([member]) => processOf.get(member))
          const all = [processOf.get(owners.get(id) ?? ''), ...holders('warmUp'), ...holders('standby')]
          expect(new Set(all).size).toBe(all.length)
          const possible = Math.max(processes - 1 - holders('warmUp').length, 0)
          expect(holders('standby').length).toBe(isStateful ? Math.min(options.standbys, possible) : 0)
        }
      }),
      runs,
    )
  })

  test('few are warmed up at once if there is much to read, and only what somebody else can run meanwhile', () => {
    fc.assert(
      fc.property(groups, optionSets, (group, options) => {
        const members = membersOf(group)
        const plan = planTasks(group.tasks, members, options)
        const warmUps = [...plan.members].flatMap(([member, { warmUp }]) =>
          warmUp.map((id) => ({ member, id })),
        )
        const large = warmUps.filter(({ member, id }) => lagOf(members, member, id) > options.acceptableLag)
        expect(large.length).toBeLessThanOrEqual(options.warmUpsMax)
        if (options.warmUpsMax === 0) expect(warmUps).toEqual([])
        if (warmUps.length > 0) expect(plan.isProbing).toBe(true)
      }),
      runs,
    )
  })

  test('probing ends, balanced, and the same members get the same again', () => {
    fc.assert(
      fc.property(groups, optionSets, (group, options) => {
        let members = membersOf(group)
        let plan = planTasks(group.tasks, members, options)
        for (let round = 0; round < group.tasks.length + 3; round++) {
          members = after(plan, members)
          plan = planTasks(group.tasks, members, options)
        }
        expect(plan.isProbing).toBe(false)
        const loads = members.map(({ id, capacity }) => (plan.members.get(id)?.active.length ?? 0) / capacity)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
        expect(planTasks(group.tasks, after(plan, members), options)).toEqual(plan)
      }),
      runs,
    )
  })
})

describe('movement', () => {
  const fleets = fc.record({
    tasks: fc.integer({ min: 1, max: 60 }),
    members: fc.integer({ min: 1, max: 9 }),
    standbys: fc.nat(1),
  })
  const ids = (count: number): PlannedTask[] => tasksOf(0, count, true)
  const fresh = (number: number): PlannedMember => ({
    id: `m${number}`,
    process: `p${number}`,
    capacity: 1,
    active: new Set(),
    following: new Set(),
    positions: new Map(),
  })
  const moved = (before: Plan, now: Plan): number => {
    const owners = ownersOf(before)
    return [...ownersOf(now)].filter(([task, owner]) => owners.get(task) !== owner).length
  }

  test('when one joins, it gets its share and nothing else moves', () => {
    fc.assert(
      fc.property(fleets, ({ tasks, members, standbys }) => {
        const options = { ...atOnce, standbys }
        const before = planTasks(
          ids(tasks),
          Array.from({ length: members }, (_, at) => fresh(at)),
          options,
        )
        const settled = after(
          before,
          Array.from({ length: members }, (_, at) => fresh(at)),
        )
        const now = planTasks(ids(tasks), [...settled, fresh(members)], options)
        expect(moved(before, now)).toBe(now.members.get(`m${members}`)?.active.length)
        expect(moved(before, now)).toBeLessThanOrEqual(Math.ceil(tasks / (members + 1)))
      }),
      runs,
    )
  })

  test('when one leaves, only what it had moves', () => {
    fc.assert(
      fc.property(fleets, ({ tasks, members, standbys }) => {
        const options = { ...atOnce, standbys }
        const all = Array.from({ length: members + 1 }, (_, at) => fresh(at))
        const before = planTasks(ids(tasks), all, options)
        const now = planTasks(ids(tasks), after(before, all).slice(1), options)
        expect(moved(before, now)).toBe(before.members.get('m0')?.active.length)
        expect(moved(before, now)).toBeLessThanOrEqual(Math.ceil(tasks / (members + 1)))
      }),
      runs,
    )
  })
})
