/** The command as it is typed: `millrace` run by an old Node and a new one, taken ports and directories, signals. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import { startProgram } from '#cli/demo/program'
import type { Program } from '#cli/demo/program'

const bin = fileURLToPath(new URL('../../cli/millrace.js', import.meta.url))
/** What an older Node is to the command: one that cannot run TypeScript. */
const oldNode = [process.execPath, '--no-strip-types']

let directory: string
const children = new Set<ChildProcess>()
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-start-'))
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})
afterAll(() => rm(directory, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

class Run {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly ended: Promise<Ended>

  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    node = [process.execPath],
    script = [bin],
  ) {
    const [command = '', ...flags] = [...node, ...script, ...args]
    const { PATH } = process.env
    this.child = spawn(command, flags, { cwd: directory, env: { PATH, ...environment } })
    children.add(this.child)
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = once(this.child, 'close').then(() => ({
      code: this.child.exitCode,
      stdout: this.stdout,
      stderr: this.stderr,
    }))
  }

  /** The address it announces. */
  async url(): Promise<string> {
    for (;;) {
      const found = /http:\/\/[^\s/]+/.exec(this.stdout)
      if (found !== null) return found[0]
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.stderr}`)
      await systemClock.sleep(5)
    }
  }
}

/** Everything below one directory of its own, on a free port. */
function environmentIn(name: string): Record<string, string> {
  return {
    PORT: '0',
    LOG_URL: `embedded:${name}/log`,
    STATE_DIR: `${name}/state`,
    VIEW_DIR: `${name}/view`,
    DATABASE_URL: `pglite:${name}/postgres`,
  }
}

async function isLive(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/livez`)).ok
  } catch {
    return false
  }
}

describe('millrace', () => {
  it.each([
    ['a Node that runs TypeScript', [process.execPath]],
    ['an older Node', oldNode],
  ])('passes output and exit code through on %s', async (_, node) => {
    const good = await new Run(['topology', 'describe'], {}, node).ended
    expect(good).toMatchObject({ code: 0, stderr: '' })
    expect(good.stdout).toMatch(/^Topologies:\n {3}Sub-topology: 0\n/)
    const bad = await new Run(['config'], { PORT: 'eighty', LOG_URL: 'kafka:h' }, node).ended
    expect(bad.code).toBe(2)
    expect(bad.stderr.split('\n')).toHaveLength(3)
    const unknown = await new Run(['strat'], {}, node).ended
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('Did you mean start?')
  })
})

describe('millrace start', () => {
  it.each([
    ['a Node that runs TypeScript', [process.execPath]],
    ['an older Node', oldNode],
  ])('is live at once and stops in order on SIGTERM, twice delivered, on %s', async (_, node) => {
    const run = new Run(['start'], environmentIn('signals'), node)
    const url = await run.url()
    expect(await isLive(url)).toBe(true)
    run.child.kill('SIGTERM')
    run.child.kill('SIGINT')
    expect(await run.ended).toMatchObject({ code: 0, stderr: '' })
    expect(await isLive(url)).toBe(false)
  })

  it('leaves nothing behind when the older Node is killed', async () => {
    const run = new Run(['start'], environmentIn('orphan'), oldNode)
    const url = await run.url()
    run.child.kill('SIGKILL')
    while (await isLive(url)) await systemClock.sleep(20)
  })

  it('stops when the shell that npm started it from is gone', async () => {
    const environment = { ...environmentIn('shell'), npm_lifecycle_event: 'npx' }
    const run = new Run(['-c', `"${process.execPath}" "${bin}" start; true`], environment, ['sh'], [])
    const url = await run.url()
    run.child.kill('SIGTERM')
    while (await isLive(url)) await systemClock.sleep(20)
  })
})

describe('while Kafka is away', () => {
  /** Nothing listens on port 1, and a database is not asked before there are results. */
  const away = { LOG_URL: 'kafka://127.0.0.1:1', DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }

  it.each([
    ['start', { processor: false }],
    ['gateway', { log: false }],
    ['processor', { log: false, tasks: false }],
    ['sink', { sql: false }],
  ] as const)('%s is live, says what it waits for, and stops in order', async (kind, checks) => {
    const run = new Run([kind], { ...environmentIn(`away-${kind}`), ...away })
    const url = await run.url()
    expect(await isLive(url)).toBe(true)
    const ready = await fetch(`${url}/readyz`)
    expect(ready.status).toBe(503)
    expect(await ready.json()).toMatchObject({ code: 'not-ready', checks })
    expect((await fetch(`${url}/metrics`)).status).toBe(200)
    while (!run.stderr.includes('The log cannot be reached')) await systemClock.sleep(5)
    run.child.kill('SIGTERM')
    const { code, stderr } = await run.ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/No broker answers at 127\.0\.0\.1:1: .*Start Kafka, or correct LOG_URL/)
  })

  it('says in one line what cannot be right about LOG_URL', async () => {
    const environment = { ...environmentIn('wrong'), ...away, LOG_URL: 'kafka://127.0.0.1:1?tsl=true' }
    const { code, stdout, stderr } = await new Run(['gateway'], environment).ended
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(/LOG_URL: .*unknown option tsl/)])
  })
})

describe('an SQL copy that cannot be kept up', () => {
  it('ends the copies, not the sale, and is told by the log, by /readyz and by the lists', async () => {
    const settled = async (program: Program, status: number): Promise<unknown> => {
      for (;;) {
        const answer = await fetch(`${program.url}/api/v1/users/ann/coupons`)
        const body = (await answer.json()) as { items?: unknown[]; code?: string }
        const there = answer.status === status && (status !== 200 || body.items?.length === 1)
        if (there) return status === 200 ? body.items : body.code
        await systemClock.sleep(20)
      }
    }
    const sell = async (program: Program): Promise<number> => {
      const headers = { 'content-type': 'application/json', prefer: 'wait=10' }
      const post = (path: string, body: object) =>
        fetch(`${program.url}/api/v1/coupons${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
      await post('', { couponId: 'one', stock: 5 })
      return (await post('/one/claims', { userId: 'ann' })).status
    }
    const first = await startProgram(join(directory, 'copied'), systemClock)
    expect(await sell(first)).toBe(201)
    await settled(first, 200)
    await first.stop()

    let stderr = ''
    const other = await startProgram(join(directory, 'other'), systemClock, {
      environment: { DATABASE_URL: `pglite:${join(directory, 'copied', 'postgres')}` },
      onStderr: (text) => (stderr += text),
    })
    expect(await settled(other, 503)).toBe('store-unavailable')
    expect(await sell(other)).toBe(201)
    const ready = await fetch(`${other.url}/readyz`)
    expect(ready.status).toBe(200)
    expect(await ready.json()).toMatchObject({ checks: { processor: true, sql: false } })
    expect(await (await fetch(`${other.url}/metrics`)).text()).toContain('sink_store_up{store="sql"} 0')
    expect(stderr).toContain('SINK_LOG_CHANGED')
    expect(await other.stop()).toBe(0)
  })
})

describe('beside a running one', () => {
  let program: Program
  beforeAll(async () => {
    program = await startProgram(join(directory, 'taken'), systemClock)
  })
  afterAll(() => program.stop())

  it.each([
    ['PORT', () => ({ PORT: new URL(program.url).port })],
    ['LOG_URL', () => ({ LOG_URL: 'embedded:taken/log' })],
    ['STATE_DIR', () => ({ STATE_DIR: 'taken/state' })],
    ['VIEW_DIR', () => ({ VIEW_DIR: 'taken/view' })],
    ['DATABASE_URL', () => ({ DATABASE_URL: 'pglite:taken/postgres' })],
  ])('says in one line that %s has to change', async (variable, taken) => {
    const ended = await new Run(['start'], { ...environmentIn('free'), ...taken() }).ended
    const { code, stdout, stderr } = ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining(`set ${variable}`)])
  })

  it('shows the metrics of every thread', async () => {
    const answer = await fetch(`${program.url}/metrics`)
    expect(answer.headers.get('content-type')).toContain('text/plain')
    const text = await answer.text()
    for (const name of ['process_cpu_seconds_total', 'streams_', 'millrace_gateway_', 'millrace_log_'])
      expect(text).toContain(`\n${name}`)
  })
})
