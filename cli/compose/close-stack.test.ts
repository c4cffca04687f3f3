import { expect, it } from 'vitest'
import { silentLogger } from '#core'
import { CloseStack } from './close-stack.ts'

it('closes in the opposite order, all of it, once, also when one fails', async () => {
  const closed: string[] = []
  const stack = new CloseStack()
  for (const name of ['log', 'processor', 'http']) {
    stack.push(name, () => {
      closed.push(name)
      return name === 'processor' ? Promise.reject(new Error('stuck')) : Promise.resolve()
    })
  }
  await stack.closeAll(silentLogger)
  await stack.closeAll(silentLogger)
  expect(closed).toEqual(['http', 'processor', 'log'])
})
