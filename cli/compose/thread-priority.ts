import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { basename } from 'node:path'

/**
 * Lets other threads go first when cores are short, of this process and of every other one.
 * On Linux each thread has a priority of its own (sched(7)); elsewhere, or when it is not allowed, nothing changes.
 * @param nice 1 … 19, the greater the later
 */
export function yieldToOthers(nice: number): void {
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), nice)
  } catch {
    // A preference only.
  }
}
