/**
 * `npm test [-- PART…]`: the parts unit, simulation, integration, fault, kafka and kafka-fault in this order, on servers
 * that live as long as the run.
 * The last line is always `N passed, N failed`, summed over the parts.
 */
import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareKafka } from './servers/kafka/start.ts'
import { startServers } from './servers/start.ts'
import type { TestServers } from './servers/start.ts'

interface Part {
  readonly name: string
  /** Where its tests are; undefined: it always has some. */
  readonly files?: string
  readonly needsServers: boolean
  /** Test files at a time; left out: as many as vitest takes for this machine. */
  readonly workers?: number
}

const parts: readonly Part[] = [
  { name: 'unit', needsServers: false },
  { name: 'simulation', needsServers: false },
  { name: 'integration', files: 'test/integration/**/*.test.ts', needsServers: true },
  { name: 'fault', files: 'test/fault/**/*.test.ts', needsServers: true },
  // They wait for brokers more than they compute.
  { name: 'kafka', files: 'test/kafka/**/*.test.ts', needsServers: true, workers: 2 },
  { name: 'kafka-fault', files: 'test/kafka/**/*.test.ts', needsServers: true, workers: 2 },
]

interface Verdict {
  readonly passed: number
  readonly failed: number
}

const root = fileURLToPath(new URL('..', import.meta.url))

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !parts.some((part) => part.name === name))
  if (unknown.length > 0) {
    console.error(`No part ${unknown.join(', ')}; there are ${parts.map(({ name }) => name).join(', ')}.`)
    console.log('0 passed, 0 failed')
    return 2
  }
  const chosen = parts.filter(({ name }) => names.length === 0 || names.includes(name))
  let servers: TestServers | undefined
  if (chosen.some(({ needsServers }) => needsServers)) {
    try {
      // Told now, not after minutes of other tests.
      if (chosen.some(({ name }) => name.startsWith('kafka'))) await prepareKafka()
      servers = await startServers()
    } catch (error) {
      console.log(error instanceof Error ? error.message : error)
      console.log('0 passed, 1 failed')
      return 1
    }
  }
  const stopOnSignal = (): void => void servers?.stop().then(() => process.exit(1))
  process.once('SIGINT', stopOnSignal)
  process.once('SIGTERM', stopOnSignal)
  try {
    const verdicts: Verdict[] = []
    for (const part of chosen) verdicts.push(await runPart(part, servers))
    const passed = verdicts.reduce((sum, verdict) => sum + verdict.passed, 0)
    const failed = verdicts.reduce((sum, verdict) => sum + verdict.failed, 0)
    await servers?.stop()
    console.log(`${passed} passed, ${failed} failed`)
    return failed === 0 ? 0 : 1
  } finally {
    await servers?.stop()
  }
}

async function runPart(part: Part, servers: TestServers | undefined): Promise<Verdict> {
  if (part.files !== undefined && globSync(part.files, { cwd: root }).length === 0) {
    console.log(`== ${part.name}: no tests yet`)
    return { passed: 0, failed: 0 }
  }
  console.log(`== ${part.name}`)
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const report = join(folder, 'report.json')
  const code = await vitest(part, report, servers)
  const { passed, failed } = readReport(report)
  rmSync(folder, { recursive: true, force: true })
  // A run that broke outside of its tests, or found none, must not look like a success.
  const broken = failed === 0 && (code !== 0 || passed === 0)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const trouble = broken ? ` (the run itself failed: exit code ${code}, counted as one)` : ''
  console.log(`== ${part.name}: ${passed} passed, ${failed} failed in ${seconds} s${trouble}`)
  return { passed, failed: broken ? 1 : failed }
}

function vitest(part: Part, report: string, servers: TestServers | undefined): Promise<number> {
  const program = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const workers = part.workers === undefined ? [] : [`--maxWorkers=${part.workers}`]
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const urls =
    servers === undefined ? {} : { TEST_DATABASE_URL: servers.databaseUrl, TEST_REDIS_URL: servers.redisUrl }
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [program, 'run', '--project', part.name, ...workers, ...reporters],
      {
        cwd: root,
        stdio: 'inherit',
        env: { ...process.env, ...urls },
      },
    )
    child.once('error', () => resolve(1))
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** vitest's JSON report; nothing ran when there is none. */
function readReport(path: string): Verdict {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as {
      readonly numPassedTests: number
      readonly numFailedTests: number
    }
    return { passed: report.numPassedTests, failed: report.numFailedTests }
  } catch {
    return { passed: 0, failed: 0 }
  }
}

process.exitCode = await main(process.argv.slice(2))
