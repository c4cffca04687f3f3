import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Where a task keeps its state: `<stateDir>/<app>/<subtopology>_<partition>`. */
export function taskDirectory(stateDir: string, appId: string, taskId: string): string {
  return join(stateDir, appId, taskId)
}

/** Deletes a task's state; it is restored from the changelog. */
export async function wipeTaskDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

/** The tasks that have state on this disk, by id. */
export async function tasksOnDisk(stateDir: string, appId: string): Promise<string[]> {
  const root = join(stateDir, appId)
  await mkdir(root, { recursive: true })
  const entries = await readdir(root, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory() && /^\d+_\d+$/.test(entry.name))
    .map((entry) => entry.name)
}
