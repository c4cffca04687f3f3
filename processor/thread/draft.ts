/** The transaction being filled: what tasks have computed since the last one was sealed. */
import type { Task } from '../task.ts'
import type { TransactionOutputs } from '../transaction-outputs.ts'
import type { TransactionLimits } from './options.ts'

export class Draft {
  readonly outputs: TransactionOutputs
  /** All that have a part in it: the offsets of each fence it. */
  readonly tasks = new Set<Task>()
  /** Input records. */
  records = 0

  constructor(outputs: TransactionOutputs) {
    this.outputs = outputs
  }

  get isEmpty(): boolean {
    return this.tasks.size === 0
  }

  /** What it holds in memory: outputs, and state that becomes changelog when it is sealed. */
  get bytes(): number {
    let bytes = this.outputs.writtenBytes
    for (const task of this.tasks) bytes += task.state.pendingBytes
    return bytes
  }

  isFull({ recordsMax, bytesMax }: TransactionLimits): boolean {
    return this.records >= recordsMax || this.bytes >= bytesMax
  }
}
