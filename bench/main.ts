/** `npm run bench [-- CASE…]`: see `--help`. Stdout holds the results alone, everything else goes to stderr. */
import { mkdirSync } from 'node:fs'
import { messageOf } from '#core'
import { exitCodes } from '../cli/exit-codes.ts'
import type { ExitCode } from '../cli/exit-codes.ts'
import { drain } from './cases/drain.ts'
import { gateway } from './cases/gateway.ts'
import { kafka } from './cases/kafka.ts'
import { latency } from './cases/latency.ts'
import { restore } from './cases/restore.ts'
import { sink } from './cases/sink.ts'
import { start } from './cases/start.ts'
import { readArguments } from './runner/arguments.ts'
import type { Arguments } from './runner/arguments.ts'
import type { Bench } from './runner/bench.ts'
import { describeHost } from './runner/host.ts'
import { Progress } from './runner/progress.ts'
import { rowOf, tableOf } from './runner/report.ts'
import type { Row } from './runner/report.ts'
import { Scope } from './runner/scope.ts'
import { listing, select } from './runner/select.ts'
import type { Selected } from './runner/select.ts'
import { Servers } from './runner/servers.ts'
import { sizesOf } from './runner/sizes.ts'

const benches: readonly Bench[] = [drain, gateway, latency, sink, restore, start, kafka]
const interruptedCode = 130

const servers = new Servers()
let scope: Scope | undefined
let interrupted = false

async function main(args: Arguments): Promise<ExitCode> {
  const { selected, unknown } = select(benches, args.cases)
  if (unknown.length > 0) {
    process.stderr.write(`There is no case ${unknown.join(', ')}. These are:\n${listing(benches)}\n`)
    return exitCodes.usage
  }
  if (args.list) {
    process.stdout.write(`${listing(benches)}\n`)
    return exitCodes.ok
  }
  if (args.profileDirectory !== undefined) mkdirSync(args.profileDirectory, { recursive: true })
  const host = await describeHost()
  process.stderr.write(`${host.text}\n`)
  if (host.warning !== undefined) process.stderr.write(`Warning: ${host.warning}\n`)

  const rows: Row[] = []
  const failed: string[] = []
  for (const one of selected) {
    try {
      rows.push(...(await measure(one, args)))
    } catch (error) {
      if (interrupted) break
      const name = `${one.bench}/${one.variant.name}`
      failed.push(name)
      process.stderr.write(`[${name}] failed: ${messageOf(error)}\n`)
    }
  }
  await servers.stop()
  if (interrupted) return exitCodes.failed
  if (args.json) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`)
  else process.stdout.write(`${[host.text, host.warning ?? '', tableOf(rows)].join('\n')}\n`)
  if (failed.length > 0) process.stderr.write(`Failed: ${failed.join(', ')}\n`)
  return failed.length === 0 ? exitCodes.ok : exitCodes.failed
}

async function measure({ bench, variant }: Selected, args: Arguments): Promise<Row[]> {
  scope = new Scope()
  const progress = new Progress(`${bench}/${variant.name}`)
  const { profileDirectory } = args
  try {
    const context = { sizes: sizesOf(args.sizes), scope, progress, servers, profileDirectory }
    const measurements = await variant.measure(context)
    return measurements.map((measurement) => rowOf(bench, variant.name, measurement))
  } finally {
    await scope.close()
  }
}

/** Everything opened is closed before the process ends; the directory once more when nothing else can write to it. */
async function interrupt(): Promise<void> {
  if (interrupted) return
  interrupted = true
  process.once('exit', () => scope?.removeDirectory())
  await Promise.allSettled([scope?.close(), servers.stop()])
  process.exit(interruptedCode)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void interrupt())

const given = readArguments(process.argv.slice(2))
process.exitCode = 'exitCode' in given ? given.exitCode : await main(given)
