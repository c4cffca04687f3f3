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

it.each([
  [{ HOST: '0.0.0.0' }, 'refused'],
  [{ HOST: '0.0.0.0', ADMIN_TOKEN: 'open-sesame' }, 'with the token'],
  [{ HOST: '127.0.0.1', ADMIN_TOKEN: 'open-sesame' }, 'with the token'],
  [{ HOST: 'localhost' }, 'open'],
])('with %j shows operator calls as they are: %s', (environment, operators) => {
  const text = banner('start', readSettings(environment), url)
  const refused = 'Operator calls are refused here: set ADMIN_TOKEN (8 characters or more) and start again.'
  expect(text.includes(refused)).toBe(operators === 'refused')
  expect(text.includes(`curl ${url}/api/v1/coupons -H`)).toBe(operators !== 'refused')
  expect(text.includes('$ADMIN_TOKEN')).toBe(operators === 'with the token')
  expect(text).toContain(`curl ${url}/api/v1/coupons/spring/claims`)
  expect(text).not.toContain('sesame')
})

it.each(['processor', 'sink'] as const)('of %s says where its health is', (kind) => {
  const text = banner(kind, readSettings(shared, kind), url)
  expect(text).toMatch(new RegExp(`^Millrace [\\d.]+ ${kind} shows its health on ${url}/readyz\n`))
  expect(text).not.toContain('curl')
})

it('says which directory has the embedded log', () => {
  expect(banner('start', readSettings({}), url)).toContain('The log is in data/log.')
})
