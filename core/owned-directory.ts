/**
 * Directories that may be thrown away and made anew, because they hold only a fold of the log.
 *
 * A setting can point anywhere, so nothing is deleted on the strength of a path: a directory is ours when it carries
 * our marker, which it gets when it is made or was empty.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { MillraceError, messageOf } from './errors.ts'

/** What a directory is for; a view's directory is never taken for a state's. */
export type OwnedKind = 'state' | 'view' | 'postgres'

function markerOf(kind: OwnedKind): string {
  return `MILLRACE-${kind.toUpperCase()}`
}

/**
 * Makes the directory with its parents, or takes it when it is empty or ours already.
 * Errors: DIRECTORY_FOREIGN (it holds something else, or is no directory; nothing was touched), DIRECTORY_FAILED (it
 * cannot be made or read).
 */
export async function claimDirectory(path: string, kind: OwnedKind): Promise<void> {
  await makeDirectory(path)
  const entries = await entriesOf(path)
  if (entries?.includes(markerOf(kind))) return
  if (entries === undefined || entries.length > 0) throw foreign(path)
  try {
    await writeFile(
      join(path, markerOf(kind)),
      'Made by Millrace, which may delete this directory and build it anew.\n',
    )
  } catch (error) {
    throw unusable(path, error)
  }
}

/** Deletes the directory if it is ours or empty; a missing one is fine. Errors: as `claimDirectory`. */
export async function discardDirectory(path: string, kind: OwnedKind): Promise<void> {
  let entries: readonly string[] | undefined
  try {
    entries = await entriesOf(path)
  } catch (error) {
    if (codeOf((error as MillraceError).cause) === 'ENOENT') return
    throw error
  }
  if (entries === undefined || (entries.length > 0 && !entries.includes(markerOf(kind)))) throw foreign(path)
  // The marker goes last: a directory whose deletion was cut short is still ours.
  const rest = entries.filter((name) => name !== markerOf(kind))
  for (const name of rest) await rm(join(path, name), { recursive: true, force: true })
  await rm(path, { recursive: true, force: true })
}

/**
 * Makes a directory with its parents. Not by `recursive`: Node asks again without end where a parent exists but takes
 * no entries (/proc, for one). Errors: DIRECTORY_FAILED.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await makeWithParents(resolve(path))
  } catch (error) {
    throw unusable(path, error)
  }
}

async function makeWithParents(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return
    const parent = dirname(path)
    if (codeOf(error) !== 'ENOENT' || parent === path) throw error
    await makeWithParents(parent)
    await mkdir(path).catch((second: unknown) => {
      if (codeOf(second) !== 'EEXIST') throw second
    })
  }
}

/** Names in the directory; undefined when it is no directory. */
async function entriesOf(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path)
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return undefined
    throw unusable(path, error)
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

function foreign(path: string): MillraceError {
  return new MillraceError(
    'DIRECTORY_FOREIGN',
    `${path} holds something that Millrace did not make there, so it was not touched. Choose another directory.`,
    { domain: 'user', reaction: 'stop', retrySafe: true, context: { path } },
  )
}

function unusable(path: string, cause: unknown): MillraceError {
  return new MillraceError('DIRECTORY_FAILED', `${path} cannot be used: ${messageOf(cause)}.`, {
    domain: 'external',
    reaction: 'stop',
    retrySafe: true,
    context: { path },
    cause,
  })
}
