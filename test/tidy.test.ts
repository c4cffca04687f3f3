/** The house rules that a compiler does not know; each is also shown to fail. */
import { globSync, readFileSync } from 'node:fs'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { deadFileComplaints, impurityComplaints, importComplaints, wordComplaints } from './tidy/rules.ts'
import { parseSource } from './tidy/source-file.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folders = '{core,topology,state,log,processor,domain,gateway,sink,cli,bench,test}'
const paths = globSync(`${folders}/**/*.ts`, { cwd: root }).map((path) => path.split(sep).join('/'))
const files = paths.map((path) => parseSource(path, readFileSync(`${root}/${path}`, 'utf8')))

interface Manifest {
  readonly imports: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}
const manifest = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as Manifest
const entries = [
  ...Object.values(manifest.imports).map((path) => path.replace(/^\.\//, '')),
  ...Object.values(manifest.scripts).flatMap((script) => script.match(/\S+\.ts\b/g) ?? []),
  'cli/main.ts',
]

function complaintsAbout(path: string, text: string): string[] {
  const file = parseSource(path, text)
  return [...importComplaints(file), ...impurityComplaints(file), ...wordComplaints(file)]
}

describe('the repository', () => {
  it('is looked at', () => expect(files.length).toBeGreaterThan(30))
  it('imports between rooms as the table says', () => expect(files.flatMap(importComplaints)).toEqual([]))
  it('takes time and chance from outside', () => expect(files.flatMap(impurityComplaints)).toEqual([]))
  it('keeps the engine free of any domain', () => expect(files.flatMap(wordComplaints)).toEqual([]))
  it('has no dead file', () => expect(deadFileComplaints(files, entries)).toEqual([]))
})

describe('the rules can fail', () => {
  it.each([
    ['core/x.ts', `import { Topology } from '#topology'`],
    ['topology/x.ts', `import type { Log } from '#log'`],
    ['topology/x.ts', `import { readFileSync } from 'node:fs'`],
    ['log/x.ts', `export * from '#state'`],
    ['gateway/x.ts', `const sink = await import('#sink')`],
    ['gateway/x.ts', `type Streams = import('#processor').Streams`],
    ['sink/x.ts', `import { formatClaimId } from '../domain/coupon/claim-id.ts'`],
    ['cli/commands/x.ts', `import { openEmbeddedLog } from '#log/embedded'`],
    ['processor/x.ts', `new Worker(new URL('../log/embedded/worker.ts', import.meta.url))`],
    ['state/x.ts', `import { RocksLevel } from '@nxtedition/rocksdb'`],
    ['state/x.ts', `import binding from '@nxtedition/rocksdb/binding.js'`],
    ['processor/x.ts', `const at = Date.now()`],
    ['domain/coupon/x.ts', `const chance = Math.random()`],
    ['log/x.ts', `setTimeout(() => {}, 1)`],
    ['log/x.ts', `import { setTimeout as sleep } from 'node:timers/promises'`],
    ['state/x.ts', `const today = new Date()`],
    ['processor/x.ts', `// decides which coupon is issued`],
  ])('%s: %s', (path, text) => expect(complaintsAbout(path, text)).toHaveLength(1))

  it.each([
    ['cli/compose/x.ts', `import { openEmbeddedLog } from '#log/embedded'`],
    ['core/clock.ts', `export const now = () => Date.now()`],
    ['gateway/x.ts', `const today = new Date()`],
    ['log/embedded/x.ts', `import { logError } from '../errors.ts'; import { RecordCursor } from '#log'`],
    ['processor/testing/x.ts', `import { EmbeddedBroker } from '#log/embedded'`],
    ['topology/x.ts', `import { isDeepStrictEqual } from 'node:util'`],
    ['log/x.test.ts', `import { couponTopology } from '#domain/coupon'; Date.now()`],
    ['state/x.ts', `const opened = new Date(at)`],
  ])('but not for %s: %s', (path, text) => expect(complaintsAbout(path, text)).toEqual([]))

  it('sees a file that only its own test imports', () => {
    const dead = [
      parseSource('log/used.ts', ''),
      parseSource('log/dead.ts', ''),
      parseSource('log/dead.test.ts', `import './dead.ts'`),
      parseSource('log/index.ts', `export * from './used.ts'`),
    ]
    expect(deadFileComplaints(dead, ['log/index.ts'])).toEqual(['log/dead.ts is imported by nothing'])
  })
})
