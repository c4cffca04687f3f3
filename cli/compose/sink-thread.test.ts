import { readFileSync, readdirSync } from 'node:fs'
import { getPriority } from 'node:os'
import { MessageChannel } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { readSettings } from '../settings.ts'
import { startThread } from './thread.ts'

const threads = '/proc/self/task'
const name = 'sink'

function isSink(thread: string): boolean {
  try {
    return readFileSync(`${threads}/${thread}/comm`, 'utf8').trim() === name
  } catch {
    // Ended since it was listed.
    return false
  }
}

/** By how much the thread of a sink with these reads comes after the thread that started it. */
async function niceness(reads: MessagePort | undefined): Promise<number> {
  const settings = readSettings({ LOG_URL: 'kafka://localhost:9092' })
  const sink = startThread({
    name,
    script: new URL('./sink-thread.ts', import.meta.url),
    data: { settings, readableLogs: false, log: settings.logUrl, reads },
    ports: reads === undefined ? [] : [reads],
  })
  try {
    await sink.control.checks()
    return getPriority(Number(readdirSync(threads).find(isSink))) - getPriority()
  } finally {
    await sink.stop()
  }
}

// Elsewhere threads have no priority of their own.
describe.runIf(process.platform === 'linux')('the thread of the sink', { timeout: 60_000 }, () => {
  it('lets the gateway and the engine in its process go first', async () => {
    const { port1, port2 } = new MessageChannel()
    expect(await niceness(port2)).toBeGreaterThan(0)
    port1.close()
  })

  it('has nobody to let go first in a process of its own', async () => {
    expect(await niceness(undefined)).toBe(0)
  })
})
