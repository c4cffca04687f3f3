import { expect, it } from 'vitest'
import { missingSupport } from './required-apis.ts'

const everyVersion = { min: 0, max: 20 }
const all = new Map(Array.from({ length: 90 }, (_, key) => [key, everyVersion]))
const features = new Map([['transaction.version', 2]])

it('accepts a broker that has everything', () => {
  expect(missingSupport({ versions: all, features })).toEqual([])
})

it('names what an older broker lacks, and how to switch it on', () => {
  const versions = new Map(all)
  versions.set(26, { min: 0, max: 4 })
  versions.delete(42)
  const missing = missingSupport({ versions, features: new Map([['transaction.version', 1]]) })
  expect(missing).toEqual([
    'EndTxn version 5 (it has 0 to 4)',
    'DeleteGroups version 2 (it has none)',
    expect.stringContaining('transaction.version at level 2 (it is at 1; kafka-features.sh upgrade'),
  ])
  expect(missingSupport({ versions: all, features: new Map() })).toHaveLength(1)
})
