import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('main.ts', import.meta.url))
const usage = 'npm run sim -- [--seeds 1000] [--from 1] | --seed N\n'

function sim(...given: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...given], { encoding: 'utf8' })
  return { status, out: stdout, err: stderr }
}

it.each([
  ['seeds', 'x', 1],
  ['seeds', '0', 1],
  ['seeds', '1.5', 1],
  ['from', 'abc', 0],
  ['seed', 'abc', 0],
])('refuses --%s %s', (name, value, min) => {
  const why = `--${name}: must be a whole number from ${min}; it is "${value}".\n`
  expect(sim(`--${name}`, value)).toEqual({ status: 2, out: '', err: why + usage })
})

it('refuses what it does not know, without a stack', () => {
  const { status, out, err } = sim('--sead', '1')
  expect({ status, out }).toEqual({ status: 2, out: '' })
  expect(err).toMatch(/^Unknown option '--sead'.*\nnpm run sim/)
})

it('says by --help how it is used', () => {
  expect(sim('--help')).toEqual({ status: 0, out: usage, err: '' })
})

it('runs as many seeds as it is told', () => {
  const { status, out } = sim('--seeds', '1', '--from', '3')
  expect(status).toBe(0)
  expect(out).toContain('1 seeds from 3: 0 failed')
})
