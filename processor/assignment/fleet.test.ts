import { expect, test } from 'vitest'
import { SeededRandom } from '#core'
import type { PlannedTask } from './plan.ts'
import { Fleet } from './testing/fleet.ts'

const partitions = 1_000
const processes = 100
const tasks: PlannedTask[] = Array.from({ length: partitions }, (_, at) => ({
  id: `0_${at}`,
  isStateful: true,
}))

/** Records a task in a step of ten simulated minutes, and what a follower reads meanwhile. */
const newRecords = 5_000
const readRecords = 400_000

function hundred(): Fleet {
  const fleet = new Fleet(tasks, { standbys: 1, acceptableLag: 10_000, warmUpsMax: 2 }, 1_000_000)
  for (let number = 0; number < processes; number++) fleet.join(`process-${number}`)
  fleet.settle()
  fleet.pass(newRecords, readRecords)
  return fleet
}

/** Rounds until every task is where it should be. */
function untilWarm(fleet: Fleet): void {
  for (let step = 0; fleet.plan().isProbing; step++) {
    expect(step).toBeLessThan(400)
    fleet.settle()
    fleet.pass(newRecords, readRecords)
  }
  fleet.settle()
}

test('a hundred processes with a thousand partitions: a day of coming and going', () => {
  const random = new SeededRandom(7)
  const fleet = hundred()
  const gone: string[] = []
  let changes = 0
  for (let step = 0; step < 144; step++) {
    const change = random.next()
    const ids = [...fleet.members.keys()]
    const id = random.pick(ids)
    if (change < 0.2 && ids.length > 90) {
      gone.push(fleet.members.get(id)?.process ?? '')
      fleet.leave(id)
      changes++
    } else if (change < 0.35 && gone.length > 0) {
      fleet.join(gone.shift() ?? '')
      changes++
    } else if (change < 0.4) {
      fleet.join(`new-${step}`)
      changes++
    }
    fleet.settle()
    expect(fleet.ownedTasks()).toBe(partitions)
    fleet.pass(newRecords, readRecords)
  }
  expect(changes).toBeGreaterThan(30)
  untilWarm(fleet)
  const { most, fewest } = fleet.loads()
  expect(most - fewest).toBeLessThanOrEqual(1)
  // Twice a share for each change: what moved first to whoever had the state moves on to where it belongs.
  expect(fleet.moves).toBeLessThan(2 * changes * Math.ceil(partitions / 90))
})

test('one change moves what a leaver had and a newcomer gets, and little more', () => {
  const random = new SeededRandom(11)
  const fleet = hundred()
  for (let change = 0; change < 12; change++) {
    const before = fleet.moves
    let left = 0
    if (change % 2 === 0) {
      const id = random.pick([...fleet.members.keys()])
      left = fleet.members.get(id)?.active.size ?? 0
      fleet.leave(id)
    } else fleet.join(`new-${change}`)
    untilWarm(fleet)
    const share = Math.ceil(partitions / fleet.members.size)
    // A leaver's tasks go to their copies first, and then to where there is room.
    expect(fleet.moves - before).toBeLessThanOrEqual(change % 2 === 0 ? 2 * left : share)
  }
})

/** Joins an only member that has so many tasks, with so many records of state each. */
function newcomerTo({ tasks: count, records }: { readonly tasks: number; readonly records: number }): {
  readonly fleet: Fleet
  readonly has: () => { readonly active: number; readonly following: number }
} {
  const options = { standbys: 0, acceptableLag: 10_000, warmUpsMax: 1 }
  const fleet = new Fleet(tasks.slice(0, count), options, records)
  fleet.join('old')
  fleet.settle()
  fleet.pass(0, 0)
  const newcomer = fleet.members.get(fleet.join('new'))
  fleet.settle()
  return {
    fleet,
    has: () => ({ active: newcomer?.active.size ?? 0, following: newcomer?.following.size ?? 0 }),
  }
}

test('a newcomer gets a task when it has its state, and not before', () => {
  const { fleet, has } = newcomerTo({ tasks: 4, records: 1_000_000 })
  expect(has()).toEqual({ active: 0, following: 1 })
  fleet.pass(0, 500_000)
  fleet.settle()
  expect(has().active).toBe(0)
  fleet.pass(0, 500_000)
  fleet.settle()
  expect(has()).toEqual({ active: 1, following: 1 })
})

test('a newcomer has opened and read even small states before their tasks move, all of them at once', () => {
  const { fleet, has } = newcomerTo({ tasks: 8, records: 500 })
  expect(has()).toEqual({ active: 0, following: 4 })
  fleet.pass(0, 500)
  fleet.settle()
  expect(has().active).toBe(4)
})

test('a process that comes back gets what lies on its disk', () => {
  const fleet = new Fleet(tasks.slice(0, 12), { standbys: 0, acceptableLag: 10_000, warmUpsMax: 2 }, 50_000)
  const first = fleet.join('a')
  for (const process of ['b', 'c']) fleet.join(process)
  fleet.settle()
  fleet.pass(1_000, 0)
  const had = [...(fleet.members.get(first)?.active ?? [])].toSorted()
  fleet.leave(first)
  fleet.settle()
  fleet.pass(1_000, 0)
  const back = fleet.join('a')
  fleet.settle()
  expect([...(fleet.members.get(back)?.active ?? [])].toSorted()).toEqual(had)
})

test('the task of one that died goes to its standby', () => {
  const fleet = new Fleet(tasks.slice(0, 6), { standbys: 1, acceptableLag: 10_000, warmUpsMax: 2 }, 1_000_000)
  const [first] = ['a', 'b', 'c'].map((process) => fleet.join(process))
  fleet.settle()
  fleet.pass(0, 1_000_000)
  const had = [...(fleet.members.get(first ?? '')?.active ?? [])]
  const copies = new Map(
    [...fleet.members.values()].flatMap(({ id, following }) => [...following].map((task) => [task, id])),
  )
  fleet.leave(first ?? '')
  fleet.settle()
  expect(had.length).toBe(2)
  for (const task of had) {
    const owner = [...fleet.members.values()].find(({ active }) => active.has(task))
    expect(owner?.id).toBe(copies.get(task))
  }
})
