/**
 * `npm run demo`: a flash sale against the real program in a directory and on a port of its own.
 *
 * 5,000 users, every second of whom asks twice, go for 100 coupons at once. Progress goes to stderr, the verdict to
 * stdout; exit code 1 when the verdict is bad. Nothing stays behind.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf, systemClock } from '#core'
import { decisionChart } from './chart.ts'
import { HttpClient } from './http-client.ts'
import { Progress } from './progress.ts'
import { startProgram } from './program.ts'
import { openSale, readWinners, rush } from './sale.ts'
import { judge, percentile } from './verdict.ts'

const stock = 100
const userCount = 5000
const couponId = 'flash-sale'

async function demo(): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
  process.stderr.write(`Starting Millrace in ${directory} …\n`)
  const program = await startProgram(directory, systemClock)
  const client = new HttpClient(program.url, 128)
  try {
    await openSale(client, { couponId, stock })
    const users = Array.from({ length: userCount }, (_, index) => `user-${index + 1}`)
    const requests = users.flatMap((user, index) => (index % 2 === 0 ? [user] : [user, user]))
    process.stderr.write(
      `${userCount} users, ${requests.length} requests, ${stock} coupons, 128 connections.\n`,
    )
    const progress = new Progress(requests.length, process.stderr)
    const answers = await rush(client, { couponId, requests, onAnswer: () => progress.step() })
    progress.done()
    const winners = await readWinners(client, { couponId, expected: stock, clock: systemClock })
    const verdict = judge({ stock, answers, winners })
    const times = answers.map((answer) => answer.endMs - answer.startMs).toSorted((a, b) => a - b)
    const wallMs = Math.max(...answers.map((answer) => answer.endMs))
    const out = [
      '',
      'Decisions over time (answers to the users)',
      ...decisionChart(answers),
      '',
      `${answers.length} requests answered in ${(wallMs / 1000).toFixed(2)} s`,
      `from request to decision: p50 ${percentile(times, 0.5).toFixed(1)} ms, p99 ${percentile(times, 0.99).toFixed(1)} ms`,
      '',
      ...verdict.lines.map(({ good, text }) => `${good ? '✔' : '✘'} ${text}`),
      '',
    ]
    process.stdout.write(`${out.join('\n')}\n`)
    return verdict.good
  } finally {
    client.close()
    await program.stop()
  }
}

try {
  process.exitCode = (await demo()) ? 0 : 1
} catch (error) {
  process.stderr.write(`The demo failed: ${messageOf(error)}\n`)
  process.exitCode = 1
}
