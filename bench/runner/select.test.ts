import { describe, expect, it } from 'vitest'
import type { Bench } from './bench.ts'
import { listing, select } from './select.ts'

function bench(name: string, variants: readonly string[]): Bench {
  return {
    name,
    summary: `about ${name}`,
    variants: variants.map((variant) => ({ name: variant, summary: 'one', measure: async () => [] })),
  }
}
const benches = [bench('drain', ['half', 'all']), bench('sink', ['redis'])]

function names(asked: readonly string[]): string[] {
  return select(benches, asked).selected.map(({ bench: name, variant }) => `${name}/${variant.name}`)
}

describe('select', () => {
  it.each([
    [[], ['drain/half', 'drain/all', 'sink/redis']],
    [['drain'], ['drain/half', 'drain/all']],
    [
      ['sink', 'drain/all'],
      ['drain/all', 'sink/redis'],
    ],
    [
      ['drain', 'drain/all'],
      ['drain/half', 'drain/all'],
    ],
  ])('%j selects %j', (asked, expected) => expect(names(asked)).toEqual(expected))

  it('tells names that say nothing', () => {
    expect(select(benches, ['drain', 'drain/none', 'dra']).unknown).toEqual(['drain/none', 'dra'])
  })
})

it('lists every benchmark and variant', () => {
  expect(listing(benches).split('\n')).toEqual([
    'drain         about drain',
    '  drain/half  one',
    '  drain/all   one',
    'sink          about sink',
    '  sink/redis  one',
  ])
})
