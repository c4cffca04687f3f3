/** What Linux says a process has used. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface ProcessUsage {
  /** User and system, of all threads, since the process began. */
  readonly cpuSeconds: number
  /** Largest resident set so far. */
  readonly peakBytes: number
}

let ticksPerSecond: number | undefined

/** Errors: the process is gone. */
export function processUsage(pid: number): ProcessUsage {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // After the name, which may hold anything: state is field 3, user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const peak = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+) kB$/m)
  return { cpuSeconds: ticks / ticksPerSecond, peakBytes: Number(peak?.[1]) * 1024 }
}
