/** A folder outside the tree for what is expensive to make and the same on every run. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'

/** `$XDG_CACHE_HOME/millrace/<name>` or `~/.cache/millrace/<name>`. */
function cacheFolder(name: string): string {
  const { XDG_CACHE_HOME: base } = process.env
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'millrace', name)
}

/**
 * The cached folder of that name, made by `make` when it is not there. It appears whole or not at all; of two runs that
 * make it at the same time the first wins.
 */
export async function cached(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = cacheFolder(name)
  if (existsSync(folder)) return folder
  mkdirSync(dirname(folder), { recursive: true })
  const unfinished = mkdtempSync(join(dirname(folder), `.${basename(folder)}-`))
  try {
    await make(unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return folder
}
