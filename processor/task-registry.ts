/** The tasks of a thread, found by id and by input partition. */
import type { TopicPartition } from '#log'
import type { InputQueue } from './input-queue.ts'
import type { Task } from './task.ts'

export class TaskRegistry {
  readonly #tasks = new Map<string, Task>()
  readonly #inputs = new Map<string, { readonly task: Task; readonly input: InputQueue }>()

  add(task: Task): void {
    this.#tasks.set(task.taskId, task)
    for (const input of task.inputs) this.#inputs.set(keyOf(input), { task, input })
  }

  delete(task: Task): void {
    this.#tasks.delete(task.taskId)
    for (const input of task.inputs) this.#inputs.delete(keyOf(input))
  }

  get(taskId: string): Task | undefined {
    return this.#tasks.get(taskId)
  }

  inputOf(partition: TopicPartition): { readonly task: Task; readonly input: InputQueue } | undefined {
    return this.#inputs.get(keyOf(partition))
  }

  all(): Task[] {
    return [...this.#tasks.values()]
  }

  running(): Task[] {
    return this.all().filter(({ status }) => status === 'running')
  }

  /** The tasks that read one of the partitions. */
  reading(partitions: readonly TopicPartition[]): Task[] {
    return [...new Set(partitions.flatMap((partition) => this.inputOf(partition)?.task ?? []))]
  }
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
