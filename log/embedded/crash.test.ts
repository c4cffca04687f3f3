import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { committed } from '../conformance/transactions.ts'
import { readAll, valuesOf } from '../conformance/harness.ts'
import { openTestLog, testDirectory } from './test-broker.ts'

const child = fileURLToPath(new URL('./test-crash-child.ts', import.meta.url))

/** Runs the child, kills it after so many acknowledged lines, and returns the whole lines it wrote. */
async function runAndKill(dir: string, life: number, lines: number): Promise<string[]> {
  const victim = spawn(process.execPath, [child, dir, `${life}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  let seen = 0
  victim.stdout.setEncoding('utf8')
  victim.stdout.on('data', (text: string) => {
    output += text
    seen += text.split('\n').length - 1
    if (seen >= lines) victim.kill('SIGKILL')
  })
  const [, signal] = (await once(victim, 'close')) as [unknown, string | null]
  expect(signal).toBe('SIGKILL')
  return output.slice(0, output.lastIndexOf('\n')).split('\n')
}

describe('a process killed while it appends and commits', () => {
  it('has lost nothing that it acknowledged', async () => {
    const dir = await testDirectory()
    const appended = new Map<string, string>()
    let lastCommitted = 0
    for (const [life, lines] of [1, 900, 5000].entries()) {
      for (const line of await runAndKill(dir, life, lines)) {
        const [kind, ...words] = line.split(' ')
        if (kind === 'appended') appended.set(`${words[0]}/${words[1]}`, words[2] as string)
        else lastCommitted = Number(words[0])
      }
      const { log, close } = await openTestLog(dir)
      const found = new Map<string, string | null>()
      for (const partition of [0, 1]) {
        const records = await readAll(log, 'appended', partition)
        // Whole and without gaps, whatever was under way.
        expect(records.map(({ offset }) => offset)).toEqual(records.map((_, index) => index))
        for (const { offset, value } of records) found.set(`${partition}/${offset}`, value)
      }
      for (const [place, value] of appended) expect(found.get(place)).toBe(value)
      const position = (await committed(log, 'g', 'committed')) as number | undefined
      expect(position ?? 0).toBeGreaterThanOrEqual(lastCommitted)
      // A transaction is whole: the offset, and its record in both partitions.
      const numbers = Array.from({ length: position ?? 0 }, (_, index) => `${index + 1}`)
      for (const partition of [0, 1]) {
        expect(valuesOf(await readAll(log, 'committed', partition))).toEqual(numbers)
      }
      await close()
    }
    expect(appended.size).toBeGreaterThan(1000)
    expect(lastCommitted).toBeGreaterThan(10)
  })
})
