/** `npm run sim -- [--seeds 1000] [--from 1] | --seed N`: runs a range of seeds, or replays one with its trace. */
import { parseArgs } from 'node:util'
import { Coverage } from './coverage.ts'
import { runSeed } from './run.ts'

const usage = 'npm run sim -- [--seeds 1000] [--from 1] | --seed N'

interface Asked {
  readonly help: boolean
  readonly from: number
  readonly seeds: number
  /** To be replayed. */
  readonly seed: number | undefined
}

function asked(): Asked {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  return {
    help: values.help,
    from: wholeNumber('from', values.from, 0),
    seeds: wholeNumber('seeds', values.seeds, 1),
    seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed, 0),
  }
}

function wholeNumber(name: string, text: string, min: number): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= min && Number.isSafeInteger(number)) return number
  throw new RangeError(`--${name}: must be a whole number from ${min}; it is "${text}".`)
}

async function main(): Promise<number> {
  let wanted: Asked
  try {
    wanted = asked()
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}\n`)
    return 2
  }
  const { help, from, seeds, seed } = wanted
  if (help) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  return seed === undefined ? runRange(from, seeds) : replay(seed)
}

async function replay(seed: number): Promise<number> {
  const { violations, events } = await runSeed({
    seed,
    trace: (line) => void process.stdout.write(`${line}\n`),
  })
  process.stdout.write(`seed ${seed}: ${events} events, ${violations.length} violations\n`)
  for (const violation of violations) process.stdout.write(`  ${violation}\n`)
  return violations.length === 0 ? 0 : 1
}

async function runRange(from: number, seeds: number): Promise<number> {
  const coverage = new Coverage()
  const failed: number[] = []
  const began = process.hrtime.bigint()
  const cpuBegan = process.cpuUsage()
  let events = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const result = await runSeed({ seed })
    coverage.merge(result.coverage)
    events += result.events
    if (result.violations.length > 0) {
      failed.push(seed)
      const [first] = result.violations
      process.stderr.write(`\nseed ${seed} fails: ${first}\n  replay it: npm run sim -- --seed ${seed}\n`)
    }
    const done = seed - from + 1
    if (process.stderr.isTTY || done % 100 === 0 || done === seeds) {
      process.stderr.write(`\r${done} of ${seeds} seeds, ${failed.length} failed`)
    }
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  const cpu = process.cpuUsage(cpuBegan)
  const cpuSeconds = (cpu.user + cpu.system) / 1e6
  process.stderr.write('\n')
  process.stdout.write(
    `${seeds} seeds from ${from}: ${failed.length} failed, ${events} events, ${seconds.toFixed(1)} s ` +
      `(${cpuSeconds.toFixed(1)} s of CPU, ${(seeds / seconds).toFixed(0)} seeds/s)\n${coverage.table()}\n`,
  )
  for (const seed of failed) process.stdout.write(`failed: npm run sim -- --seed ${seed}\n`)
  return failed.length === 0 ? 0 : 1
}

process.exitCode = await main()
