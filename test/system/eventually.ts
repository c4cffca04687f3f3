/** Waiting for what has to come true. */
import { systemClock } from '#core'

/** Generous: a machine that is slow today is no failure. Tests that wait have to be given more time than this. */
const defaults = { withinMs: 180_000, everyMs: 50 }

/** Asks `holds` until it answers true, at first at once. Fails with `what` when it has not in time, three minutes by default. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patience: Partial<typeof defaults> = {},
): Promise<void> {
  const { withinMs, everyMs } = { ...defaults, ...patience }
  const deadline = systemClock.now() + withinMs
  while (!(await holds())) {
    if (systemClock.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await systemClock.sleep(everyMs)
  }
}
