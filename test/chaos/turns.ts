import type { Takeover } from './processor-log.ts'

/**
 * What speaks against one owner of a task at a time. Whoever takes a task over may write one unbroken run of
 * transactions; two owners that both commit would take turns, and leave more runs than they took it over.
 * @param owners of the task's committed batches, in the order of the log
 */
export function turnsWithoutTakeover(
  task: string,
  owners: readonly string[],
  takeovers: readonly Takeover[],
): string[] {
  const runs = owners.filter((owner, at) => owner !== owners[at - 1])
  return [...new Set(runs)].flatMap((owner) => {
    const wrote = runs.filter((one) => one === owner).length
    const took = takeovers.filter((one) => one.owner === owner && one.task === task).length
    return wrote > took
      ? [`${owner} took task ${task} over ${took} times, and wrote ${wrote} runs of it`]
      : []
  })
}
