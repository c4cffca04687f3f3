/** On what and under which load was measured: without it no figure means anything. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#core'
import { summarize } from './statistics.ts'

export interface Host {
  readonly text: string
  /** Set when something else is using the machine. */
  readonly warning: string | undefined
}

const sampleMs = 1000
const busyShareMax = 0.1
const syncs = 30

export async function describeHost(): Promise<Host> {
  const [load = 0] = loadavg()
  const busy = await busyShare()
  const model = cpus()[0]?.model ?? process.arch
  const parts = [
    `${availableParallelism()} cores (${model})`,
    `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    `Node ${process.versions.node}`,
    `${process.platform} ${release()}`,
    `fdatasync ${syncMs().toFixed(2)} ms in ${tmpdir()}`,
    `load ${load.toFixed(2)}`,
    `${Math.round(busy * 100)} % busy before the start`,
  ]
  const warning =
    busy > busyShareMax
      ? `This machine is busy (${Math.round(busy * 100)} % of its cores): the figures are noise, ratios too.`
      : undefined
  return { text: parts.join(', '), warning }
}

/** Share of all cores that was used over one second. */
async function busyShare(): Promise<number> {
  const before = coreTimes()
  await systemClock.sleep(sampleMs)
  const after = coreTimes()
  const total = after.total - before.total
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total
}

function coreTimes(): { readonly idle: number; readonly total: number } {
  let idle = 0
  let total = 0
  for (const { times } of cpus()) {
    idle += times.idle
    total += times.user + times.nice + times.sys + times.idle + times.irq
  }
  return { idle, total }
}

/** The median time to make 4 KiB durable, which bounds every acknowledgement. */
function syncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  try {
    const file = openSync(join(directory, 'sync'), 'w')
    const page = Buffer.alloc(4096, 1)
    const times = Array.from({ length: syncs }, () => {
      const startedAt = performance.now()
      writeSync(file, page)
      fdatasyncSync(file)
      return performance.now() - startedAt
    })
    closeSync(file)
    return summarize(times).median
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
