import { join } from 'node:path'

/** Where a task keeps its state: `<stateDir>/<app>/<subtopology>_<partition>`. */
export function taskDirectory(stateDir: string, appId: string, taskId: string): string {
  return join(stateDir, appId, taskId)
}
