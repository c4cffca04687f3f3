import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { TaskPositions } from './process-id.ts'
import { SharedPositions, connectPositions } from './shared-positions.ts'

function onDisk(): TaskPositions {
  const known = new Map([['0_0', 7]])
  return {
    all: () => known,
    note: (positions) => {
      for (const [task, position] of positions) known.set(task, position)
    },
    forget: (task) => void known.delete(task),
  }
}

async function until(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !holds(); turns++) await turn()
}

it('what one thread notes or forgets is kept, and known to the others', async () => {
  const disk = onDisk()
  const shared = new SharedPositions(disk, () => expect.unreachable())
  const first = connectPositions(shared.another())
  const second = connectPositions(shared.another())
  expect(second.all()).toEqual(new Map([['0_0', 7]]))
  first.note(new Map([['0_1', 3]]))
  first.forget('0_0')
  const expected = new Map([['0_1', 3]])
  expect(first.all()).toEqual(expected)
  await until(() => second.all().has('0_1') && !second.all().has('0_0'))
  expect(second.all()).toEqual(expected)
  expect(disk.all()).toEqual(expected)
  expect(connectPositions(shared.another()).all()).toEqual(expected)
  shared.close()
})

it('tells what the disk says to a note', async () => {
  const failures: unknown[] = []
  const full: TaskPositions = {
    ...onDisk(),
    note: () => {
      throw new Error('no space left')
    },
  }
  const shared = new SharedPositions(full, (error) => failures.push(error))
  connectPositions(shared.another()).note(new Map([['0_1', 3]]))
  await until(() => failures.length > 0)
  expect(failures).toEqual([new Error('no space left')])
  shared.close()
})
