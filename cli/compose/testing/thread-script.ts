/** A thread that behaves as the test asks. */
import { workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { MillraceError, serve } from '#core'
import type { ThreadControl } from '../thread-control.ts'

export type Behaviour = 'well' | 'throws' | 'ends' | 'fails' | 'sticks'

const { behaviour, control } = workerData as { behaviour: Behaviour; control: MessagePort }

const served: ThreadControl = {
  open: () => Promise.resolve(),
  start: () => {
    if (behaviour === 'throws') queueMicrotask(() => fail())
    if (behaviour === 'ends') process.exit(3)
    return Promise.resolve()
  },
  checks: () => Promise.resolve({}),
  failure: () =>
    behaviour === 'fails'
      ? Promise.reject(
          new MillraceError('LOG_CORRUPT', 'The disk is gone.', { domain: 'external', reaction: 'stop' }),
        )
      : Promise.withResolvers<void>().promise,
  metrics: () => Promise.resolve([]),
  stop: () => (behaviour === 'sticks' ? Promise.withResolvers<void>().promise : Promise.resolve()),
}
serve(control, served)

function fail(): never {
  throw new Error('something unforeseen')
}
