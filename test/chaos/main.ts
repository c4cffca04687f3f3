/** `npm run chaos -- [--minutes 30] [--seed N] [--brokers 1|3] [--processes 3] [--logs DIR]`: prints a line per fault and a summary. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const usage = 'npm run chaos -- [--minutes 30] [--seed N] [--brokers 1|3] [--processes 3] [--logs DIR]'
const root = fileURLToPath(new URL('../..', import.meta.url))

function environment(): Record<string, string> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: String(1 + (Date.now() % 1_000_000)) },
      brokers: { type: 'string', default: '1' },
      processes: { type: 'string', default: '3' },
      logs: { type: 'string', default: '' },
    },
  })
  const { minutes, seed, brokers, processes, logs } = values
  if (!(Number(minutes) > 0)) throw new RangeError(`--minutes: must be a number above 0; it is "${minutes}".`)
  if (!/^\d+$/.test(seed)) throw new RangeError(`--seed: must be a whole number; it is "${seed}".`)
  if (!/^[13]$/.test(brokers)) throw new RangeError(`--brokers: must be 1 or 3; it is "${brokers}".`)
  if (!/^[2-9]$/.test(processes)) throw new RangeError(`--processes: must be 2 to 9; it is "${processes}".`)
  return {
    CHAOS_MINUTES: minutes,
    SEED: seed,
    CHAOS_BROKERS: brokers,
    CHAOS_PROCESSES: processes,
    CHAOS_LOGS: logs,
  }
}

function main(): void {
  let env: Record<string, string>
  try {
    env = environment()
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exitCode = 2
    return
  }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const how = [
    'run',
    '--project',
    'kafka-fault',
    '--disable-console-intercept=true',
    'test/kafka/chaos.test.ts',
  ]
  const child = spawn(process.execPath, [vitest, ...how], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  child.once('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

main()
