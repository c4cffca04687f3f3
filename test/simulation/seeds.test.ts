import { expect, test } from 'vitest'
import { failedSeeds } from './failed-seeds.ts'
import { runSeed } from './run.ts'

const from = 1000
const seeds = 300

test(`seeds ${from} to ${from + seeds - 1} hold what is promised`, async () => {
  const failed: string[] = []
  for (let seed = from; seed < from + seeds; seed++) {
    const { violations } = await runSeed({ seed })
    if (violations.length > 0) failed.push(`npm run sim -- --seed ${seed}: ${violations[0]}`)
  }
  expect(failed).toEqual([])
})

test.each(failedSeeds)('seed $seed no longer finds that $found', async ({ seed }) => {
  expect((await runSeed({ seed })).violations).toEqual([])
})

test('the same seed gives the same run, to the last event', async () => {
  for (const seed of [7, 8]) {
    const runs: string[][] = []
    for (let again = 0; again < 2; again++) {
      const lines: string[] = []
      await runSeed({ seed, trace: (line) => lines.push(line) })
      runs.push(lines)
    }
    expect(runs[0]?.length).toBeGreaterThan(100)
    expect(runs[1]).toEqual(runs[0])
  }
})
