import { expect, it } from 'vitest'
import { banner } from './banner.ts'
import { readSettings } from './settings.ts'

const shared = {
  LOG_URL: 'kafka://ann:secret@h1,h2:9093?sasl=plain',
  DATABASE_URL: 'postgres://u@h/d',
}
const url = 'http://127.0.0.1:8080'

it.each(['start', 'gateway'] as const)('of %s teaches the first calls', (kind) => {
  const text = banner(kind, readSettings(shared, kind), url)
  expect(text).toMatch(/^Millrace [\d.]+( gateway)? listens on http:\/\/127.0.0.1:8080\n/)
  expect(text).toContain(`curl ${url}/api/v1/coupons/spring/claims`)
  expect(text).toContain('The log is in kafka://ann:hidden@h1,h2:9093?sasl=plain.')
  expect(text).not.toContain('secret')
})

it.each(['processor', 'sink'] as const)('of %s says where its health is', (kind) => {
  const text = banner(kind, readSettings(shared, kind), url)
  expect(text).toMatch(new RegExp(`^Millrace [\\d.]+ ${kind} shows its health on ${url}/readyz\n`))
  expect(text).not.toContain('curl')
})

it('says which directory has the embedded log', () => {
  expect(banner('start', readSettings({}), url)).toContain('The log is in data/log.')
})
