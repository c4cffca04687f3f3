/** Everything that must hold after a run, asked of the log and the disks themselves. */
import {
  checkCheckpointsGrow,
  checkOffsetsGrow,
  checkPositionIsOffset,
  checkStateIsFold,
  foldChangelog,
} from '#processor'
import type { FoldedChangelog } from '#processor'
import { TaskState, changelogKind, changelogTopic, readPosition, taskDirectory } from '#state'
import { withAppId } from '#topology'
import type { Subtopology } from '#topology'
import { appId, recordsOf } from './scenario.ts'
import type { Note } from './scenario.ts'
import type { World } from './world.ts'

export async function verdictOf(world: World): Promise<string[]> {
  const found: string[] = [...world.surprises]
  const note: Note = (violations) => {
    for (const { message, ...rest } of violations) found.push(`${Object.values(rest).join(' ')}: ${message}`)
  }
  world.scenario.check(world, note)
  for (const task of tasksOf(world)) checkPosition(world, task, note)
  note(checkOffsetsGrow(world.broker.offsets.history))
  for (const machine of world.machines) {
    note(checkCheckpointsGrow(machine.disk.checkpoints))
    for (const task of tasksOf(world)) await checkDisk(world, machine, task, note)
  }
  return found
}

/**
 * True once every record of the inputs is decided and nothing stands in the way of readers: the group's offsets tell,
 * or the positions in the changelogs where those have expired.
 */
export function isDrained(world: World): boolean {
  for (const topic of world.broker.topics.names()) {
    const logs = world.broker.topics.partitionsOf(topic)
    if (logs.some(({ lastStableOffset, highWatermark }) => lastStableOffset < highWatermark)) return false
  }
  return tasksOf(world).every((task) => {
    const { topic, partition } = task.input
    const [committed] = world.broker.offsets.committed(appId, [task.input])
    const offset = committed?.offset ?? positionOf(positionChangelog(world, task)) ?? 0
    const last = recordsOf(world, topic, partition).at(-1)
    return last === undefined || offset > last.offset
  })
}

interface SimulatedTask {
  readonly id: string
  readonly input: { readonly topic: string; readonly partition: number }
  readonly stores: Subtopology['stores']
}

function tasksOf(world: World): SimulatedTask[] {
  return withAppId(world.scenario.topology, appId).subtopologies.flatMap(({ id, sourceTopics, stores }) =>
    Array.from({ length: world.plan.partitions }, (_, partition) => ({
      id: `${id}_${partition}`,
      input: { topic: sourceTopics[0] ?? '', partition },
      stores,
    })),
  )
}

/** The changelog that carries a task's position, folded; empty for a task without stores. */
function positionChangelog(world: World, { stores, input }: SimulatedTask): FoldedChangelog {
  const topic = changelogTopic(appId, stores[0]?.name ?? '')
  const partition = world.broker.topics.partitionsOf(topic)[input.partition]
  return foldChangelog(partition?.committedBatches() ?? [])
}

function positionOf(changelog: FoldedChangelog): number | undefined {
  const bytes = changelog.get(positionKey)
  return bytes === undefined ? undefined : readPosition(bytes).inputs[0]?.offset
}

const positionKey = String.fromCodePoint(changelogKind.position)

function checkPosition(world: World, task: SimulatedTask, note: Note): void {
  if (task.stores.length === 0) return
  const committed = world.broker.offsets.committed(appId, [task.input])
  // Offsets of a group that was away for long expire; the position in the changelog stands in for them.
  if (world.offsetsExpired && committed[0]?.offset === undefined) return
  note(checkPositionIsOffset(task.id, positionChangelog(world, task), committed))
}

async function checkDisk(
  world: World,
  machine: World['machines'][number],
  { id, input, stores }: SimulatedTask,
  note: Note,
): Promise<void> {
  const directory = taskDirectory('/state', appId, id)
  if (stores.length === 0 || !machine.disk.directories.includes(directory)) return
  const state = await TaskState.open({ storage: machine.disk.inspect(), directory, stores })
  for (const { name } of stores) {
    const changelog = world.broker.topics.partitionsOf(changelogTopic(appId, name))[input.partition]
    const checkpoint = state.checkpoint(name)
    if (changelog === undefined || checkpoint === undefined) continue
    const where = `${machine.name}${directory}`
    if (checkpoint.offset > changelog.highWatermark) {
      const message = `the checkpoint of ${name} is ${checkpoint.offset}, its changelog ends at ${changelog.highWatermark}`
      note([{ message: `${where}: ${message}` }])
    }
    // Below it a store that is being restored may lack what was compacted away.
    if (checkpoint.offset < changelog.compactedTo) continue
    world.coverage.add('stores compared with their changelog')
    const folded = foldChangelog(changelog.committedBatches(), checkpoint.offset)
    note(checkStateIsFold(`${where} ${name}`, folded, state.dump(name)))
  }
  await state.close()
}
