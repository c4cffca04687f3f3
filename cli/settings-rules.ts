/** What settings must be together, each of which is right by itself: a line for every contradiction. */
import type { ProcessKind } from './process-kinds.ts'
import type { Settings } from './settings.ts'

export function contradictions(settings: Settings, kind: ProcessKind): string[] {
  return [
    ...sharedStores(settings, kind),
    ...copiesOfOneDisk(settings),
    ...threadsOfOneLog(settings, kind),
    ...standbysOfOneProcess(settings, kind),
    ...nestedDirectories(directoriesOf(settings, kind)),
  ]
}

/** A part alone meets the others on a log and in a database that take more than one process. */
function sharedStores({ logUrl, databaseUrl }: Settings, kind: ProcessKind): string[] {
  if (kind === 'start') return []
  const lines: string[] = []
  const why = `millrace ${kind} shares it with other processes (millrace start has everything in one)`
  if (logUrl.kind !== 'kafka') lines.push(`LOG_URL: must be kafka://host:port, ${why}.`)
  if (kind !== 'processor' && databaseUrl.kind !== 'postgres')
    lines.push(`DATABASE_URL: must be postgres://user:password@host:port/database, ${why}.`)
  return lines
}

function copiesOfOneDisk({ logUrl, replicationFactor = 1 }: Settings): string[] {
  if (logUrl.kind === 'kafka' || replicationFactor === 1) return []
  return [
    `REPLICATION_FACTOR: must be 1 or not set, the embedded log keeps one copy; it is "${replicationFactor}".`,
  ]
}

function threadsOfOneLog({ logUrl, threads }: Settings, kind: ProcessKind): string[] {
  if (kind !== 'start' || logUrl.kind === 'kafka' || threads === 1) return []
  return [`THREADS: must be 1, the embedded log shares its thread with the tasks; it is "${threads}".`]
}

function standbysOfOneProcess({ logUrl, standbys }: Settings, kind: ProcessKind): string[] {
  if (kind !== 'start' || logUrl.kind === 'kafka' || standbys === 0) return []
  return [
    `STANDBYS: must be 0, copies are kept by other processes, which the embedded log does not take; it is "${standbys}".`,
  ]
}

type NamedDirectory = readonly [variable: string, path: string]

function directoriesOf(settings: Settings, kind: ProcessKind): NamedDirectory[] {
  const { logUrl, databaseUrl, stateDirectory, viewDirectory } = settings
  const used: NamedDirectory[] = []
  if (logUrl.kind === 'embedded') used.push(['LOG_URL', logUrl.directory])
  if (kind === 'start' || kind === 'processor') used.push(['STATE_DIR', stateDirectory])
  if (kind === 'start' || kind === 'gateway') used.push(['VIEW_DIR', viewDirectory])
  if (kind === 'start' && databaseUrl.kind === 'pglite') used.push(['DATABASE_URL', databaseUrl.directory])
  return used
}

/** Each part owns its directory: one inside another would be deleted or locked with it. */
function nestedDirectories(used: readonly NamedDirectory[]): string[] {
  const lines: string[] = []
  for (const [name, path] of used) {
    for (const [other, otherPath] of used) {
      if (name === other || !`${path}/`.startsWith(`${otherPath}/`)) continue
      if (path === otherPath && name < other) continue
      lines.push(`${name}: ${path} lies in the directory of ${other}. Give each its own.`)
    }
  }
  return lines
}
