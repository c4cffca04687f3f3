import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Scope } from './scope.ts'

it('closes everything in the opposite order, also after a failure, and leaves no directory', async () => {
  const scope = new Scope()
  writeFileSync(join(scope.directory, 'data'), 'x')
  const closed: string[] = []
  scope.defer(async () => void closed.push('first'))
  scope.defer(async () => {
    closed.push('second')
    throw new Error('it does not close')
  })
  scope.defer(async () => void closed.push('third'))
  await expect(scope.close()).rejects.toThrow('it does not close')
  await expect(scope.close()).rejects.toThrow('it does not close')
  expect(closed).toEqual(['third', 'second', 'first'])
  expect(existsSync(scope.directory)).toBe(false)
})
