/** What a process alone cannot go on with ends it, in one line that says what to do. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openCoupon } from '../system/commands.ts'
import { linesSaid } from '../system/lines-said.ts'
import { endsOf, loaded } from '../system/settled.ts'
import { System } from '../system/system.ts'

let system: System
beforeEach(async () => {
  system = await System.create({ log: 'kafka', apart: true })
})
afterEach(() => system.destroy())

it('a sink whose stores follow another log', async () => {
  await system.start()
  await openCoupon(system, 'one', { stock: 1 })
  const { body } = await system.http.send(
    'POST',
    '/api/v1/coupons/one/claims',
    { userId: 'ann' },
    { prefer: 'wait=20' },
  )
  await loaded(system, endsOf([(body as { claimId: string }).claimId]))
  expect(await system.stop()).toBe(0)
  // Made again by the sink, it is another topic.
  await system.withLog((log) => log.admin.deleteTopics([system.topics.result]))
  await expect(system.start({}, ['sink'])).rejects.toThrow(/did not/)
  expect(system.stderr).toMatch(/^millrace: .*\[SINK_LOG_CHANGED\]$/m)
})

it('two processors on one directory, two gateways on another', async () => {
  for (const [kind, variable] of [
    ['processor', 'STATE_DIR'],
    ['gateway', 'VIEW_DIR'],
  ] as const) {
    await system.start()
    await expect(system.start({}, [kind])).rejects.toMatchObject({ code: 'CLI_DEMO_ENDED' })
    const said = linesSaid(system.stderr)
    expect(said).toEqual([expect.stringContaining(`set ${variable}`)])
  }
})
