/** The rules between rooms (docs/design.md, "Rooms") as functions from parsed files to complaints. */
import { posix } from 'node:path'
import type { SourceFile } from './source-file.ts'

/** What each room may import of others. A driver (`#log/embedded`) is for the composition root alone. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  topology: ['#core'],
  state: ['#core', '#topology', '#log'],
  log: ['#core'],
  processor: ['#core', '#topology', '#state', '#log'],
  'domain/coupon': ['#core', '#topology'],
  gateway: ['#core', '#log', '#domain/coupon'],
  sink: ['#core', '#log', '#domain/coupon'],
  cli: ['#core', '#topology', '#state', '#log', '#processor', '#domain/coupon', '#gateway', '#sink'],
}

const drivers = new Set(['#log/embedded', '#log/kafka', '#log/simulated'])
const engine = new Set(['core', 'topology', 'state', 'log', 'processor'])
/** Rooms that must compute the same from the same input: time, chance and I/O come in from outside. */
const deterministic = new Set([...engine, 'domain/coupon'])
const withoutInputOutput = new Set(['topology', 'domain/coupon'])
const pureModules = new Set(['node:buffer', 'node:util'])
const clockAdapters = new Set(['core/clock.ts'])

/** Tests and what only they use: `x.test.ts`, `test-x.ts`, folders named `testing` that are not published. */
function isTest(path: string): boolean {
  if (path.startsWith('topology/testing/')) return path.endsWith('.test.ts')
  return /\.test\.ts$|(^|\/)(test-[^/]*\.ts$|testing\/)/.test(path)
}

function folderOf(path: string): string | undefined {
  const parts = path.split('/')
  const room = parts[0] === 'domain' ? parts.slice(0, 2).join('/') : parts[0]
  return room !== undefined && room in mayImport ? room : undefined
}

/** Undefined for files that belong to no room: tests, measurements, tools' configuration. */
function roomOf(path: string): string | undefined {
  return isTest(path) ? undefined : folderOf(path)
}

export function importComplaints(file: SourceFile): string[] {
  const room = roomOf(file.path)
  if (room === undefined) return []
  const complaints: string[] = []
  const complain = (specifier: string, why: string): void => {
    complaints.push(`${file.path} imports ${specifier}: ${why}`)
  }
  for (const specifier of file.imports) {
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(file.path), specifier)
      if (folderOf(target) !== room && target.endsWith('.ts'))
        complain(specifier, 'another room is imported by its # name')
    } else if (drivers.has(specifier)) {
      if (!file.path.startsWith('cli/compose/')) complain(specifier, 'only cli/compose names a driver')
    } else if (specifier.startsWith('#')) {
      if (specifier !== `#${room}` && !mayImport[room]?.includes(specifier))
        complain(specifier, `${room} must not know it`)
    } else if (specifier.startsWith('@nxtedition/rocksdb')) {
      if (file.path !== 'core/rocksdb.ts') complain(specifier, 'only core/rocksdb.ts knows the binding')
    } else if (specifier.startsWith('node:') && withoutInputOutput.has(room)) {
      if (!pureModules.has(specifier)) complain(specifier, `${room} is pure`)
    }
  }
  return complaints
}

export function impurityComplaints(file: SourceFile): string[] {
  const room = roomOf(file.path)
  if (room === undefined || !deterministic.has(room) || clockAdapters.has(file.path)) return []
  return file.impurities.map((what) => `${file.path} uses ${what}: take a Clock (core/clock.ts)`)
}

export function wordComplaints(file: SourceFile): string[] {
  const room = roomOf(file.path)
  if (room === undefined || !engine.has(room)) return []
  const lines = file.text.split('\n')
  return lines.flatMap((line, index) =>
    /coupon/i.test(line) ? [`${file.path}:${index + 1} names a coupon: the engine knows no domain`] : [],
  )
}

/** Source files that nothing but their own test reaches from the entries. */
export function deadFileComplaints(files: readonly SourceFile[], entries: readonly string[]): string[] {
  const used = new Set(entries)
  for (const { path, imports } of files) {
    for (const specifier of imports) {
      const target = posix.join(posix.dirname(path), specifier)
      if (specifier.startsWith('.') && path !== target.replace(/\.ts$/, '.test.ts')) used.add(target)
    }
  }
  return files
    .filter(({ path }) => roomOf(path) !== undefined && !path.endsWith('.d.ts') && !used.has(path))
    .map(({ path }) => `${path} is imported by nothing`)
}
