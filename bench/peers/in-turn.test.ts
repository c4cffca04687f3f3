/** Both sides are measured in each repetition, ours first, and keep apart. */
import { expect, it } from 'vitest'
import { Progress } from '../runner/progress.ts'
import { Scope } from '../runner/scope.ts'
import { Servers } from '../runner/servers.ts'
import { sizesOf } from '../runner/sizes.ts'
import type { Engine } from './engine.ts'
import { inTurn, measurementsOf } from './in-turn.ts'

const engine = (name: string): Engine => ({
  name,
  start: () => Promise.reject(new Error('not started here')),
})

it('measures ours and the peer in turn', async () => {
  const scope = new Scope()
  const said: string[] = []
  const progress = new Progress('test')
  progress.say = (text) => void said.push(text)
  const sizes = sizesOf({ quick: true, repetitions: 2 })
  const context = { sizes, scope, progress, servers: new Servers(), profileDirectory: undefined }
  let next = 1
  const found = await inTurn(
    context,
    { ours: engine('we'), peer: engine('they') },
    async (_, repetition) => 10 * repetition + next++,
    (one) => `took ${one}`,
  )
  await scope.close()
  expect(found).toEqual({ ours: [11, 23], peer: [12, 24] })
  expect(said[1]).toBe('repetition 1/2: they took 12')
  expect(measurementsOf(found, [{ metric: 'm', unit: 'ms', goal: 'low', value: (one) => -one }])).toEqual([
    { metric: 'm', unit: 'ms', goal: 'low', values: [-11, -23], peerValues: [-12, -24] },
  ])
})
