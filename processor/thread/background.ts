/**
 * What a thread does beside its tasks: it follows the changelogs of others, deletes states that nobody wants, and keeps
 * checkpoints young. Following has its turns behind the tasks that run.
 */
import { BackgroundTurns } from '../background-turns.ts'
import { AbandonedStates } from '../standby/abandoned-states.ts'
import { StandbyTasks } from '../standby/standby-tasks.ts'
import { CheckpointRenewal } from './checkpoint-renewal.ts'
import type { Fleet } from './fleet.ts'
import type { GroupMember } from './group-member.ts'
import { directoryOf } from './options.ts'
import type { ThreadContext } from './options.ts'

export class Background {
  readonly turns: BackgroundTurns
  readonly standbys: StandbyTasks
  readonly #thread: ThreadContext
  readonly #fleet: Fleet
  readonly #abandoned: AbandonedStates
  readonly #renewal: CheckpointRenewal
  #running: Promise<unknown> = Promise.resolve()

  constructor(thread: ThreadContext, fleet: Fleet, member: GroupMember) {
    this.#thread = thread
    this.#fleet = fleet
    this.turns = new BackgroundTurns(thread.clock, () =>
      thread.tasks.running().some(({ hasWork }) => hasWork),
    )
    this.standbys = newStandbys(thread, member, this.turns)
    this.#abandoned = new AbandonedStates({
      ...thread,
      directoryOf: (taskId) => directoryOf(thread, taskId),
      used: () => (fleet.hasAssigned ? this.#tasksOfProcess() : undefined),
      delayMs: thread.stateCleanupDelayMs,
    })
    this.#renewal = new CheckpointRenewal(thread, member)
  }

  /** Runs until `close`, or until the thread is to end. What goes wrong with it ends the thread. */
  start(): void {
    const { stopped, fail } = this.#thread
    this.#running = Promise.all([
      this.standbys.run().catch(fail),
      this.#abandoned.run(stopped).catch(fail),
      this.#renewal.run(stopped).catch(fail),
    ])
  }

  close(): Promise<void> {
    return this.standbys.close(this.#running)
  }

  #tasksOfProcess(): ReadonlySet<string> {
    const here = [...this.#thread.tasks.all(), ...this.standbys.all()].map(({ taskId }) => taskId)
    return new Set([...here, ...this.#fleet.tasksOfProcess()])
  }
}

function newStandbys(thread: ThreadContext, member: GroupMember, turns: BackgroundTurns): StandbyTasks {
  const { topology, topics, tasks, placement, positions, logger, instruments } = thread
  return new StandbyTasks({
    ...thread,
    describe: (taskId) => {
      const [id, partition] = taskId.split('_').map(Number)
      const subtopology = topology.subtopologies.find((one) => one.id === id)
      if (subtopology === undefined || partition === undefined || subtopology.stores.length === 0) {
        return undefined
      }
      return { partition, directory: directoryOf(thread, taskId), stores: subtopology.stores }
    },
    changelog: (store) => topics.changelog(store),
    deleteRetentionMs: (topic) => topics.deleteRetentionMs(topic),
    isActive: (taskId) => tasks.get(taskId) !== undefined,
    turn: (aborted) => turns.next(aborted),
    acceptableLag: placement.acceptableLag,
    onWarm: (taskId) => {
      logger.info({ task: taskId }, 'task warmed up, asking the group to move it')
      member.rebalance()
    },
    onClosed: (taskId, position) => positions.note(new Map([[taskId, position]])),
    instruments: { ...instruments.restore, lag: instruments.standbyLag },
  })
}
