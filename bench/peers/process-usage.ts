/** What Linux says a process has used. */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

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

export interface ProcessFootprint {
  /** Resident set now. */
  readonly residentBytes: number
  /** Open file descriptors, of whatever kind. */
  readonly files: number
  /** TCP connections among them. */
  readonly connections: number
}

const established = '01'

/** Errors: the process is gone. */
export function processFootprint(pid: number): ProcessFootprint {
  const resident = readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)
  const links = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
  const sockets = new Set(
    ['tcp', 'tcp6'].flatMap((table) =>
      readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        // State is field 4, the socket's number field 10.
        .filter((fields) => fields[3] === established)
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  )
  return {
    residentBytes: Number(resident?.[1]) * 1024,
    files: links.length,
    connections: links.filter((link) => sockets.has(link)).length,
  }
}

/** It may be closed by now. */
function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    return []
  }
}
