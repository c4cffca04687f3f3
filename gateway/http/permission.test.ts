import { describe, expect, it } from 'vitest'
import { operatorPermission } from './permission.ts'
import type { PermissionOptions } from './permission.ts'
import { HttpProblem } from './problem.ts'

function codeFor(
  options: PermissionOptions,
  headers: Record<string, string> = {},
  url = 'http://localhost:8080/api/v1/coupons',
): string {
  try {
    operatorPermission(options)(new Request(url, { headers }))
    return 'allowed'
  } catch (error) {
    return error instanceof HttpProblem ? error.code : String(error)
  }
}

describe('with a token', () => {
  const options = { adminToken: 's3cret', loopback: true }
  it.each([
    [{ authorization: 'Bearer s3cret' }, 'allowed'],
    [{ authorization: 'bearer  s3cret' }, 'allowed'],
    [{ authorization: 'Bearer s3cre' }, 'unauthenticated'],
    [{ authorization: 'Bearer s3cretx' }, 'unauthenticated'],
    [{ authorization: 'Basic s3cret' }, 'unauthenticated'],
    [{}, 'unauthenticated'],
    [{ authorization: 'Bearer s3cret', origin: 'http://evil.example' }, 'allowed'],
  ])('%j is %s', (headers, code) => {
    expect(codeFor(options, headers)).toBe(code)
    expect(codeFor({ ...options, loopback: false }, headers)).toBe(code)
  })

  it('says how to authenticate', () => {
    expect(() => operatorPermission(options)(new Request('http://localhost/'))).toThrow(
      expect.objectContaining({ code: 'unauthenticated' }),
    )
    expect(new HttpProblem('unauthenticated').response().headers.get('www-authenticate')).toMatch(/^Bearer/)
  })
})

describe('without a token', () => {
  const local = { loopback: true }

  it('is forbidden unless the gateway listens on loopback', () => {
    expect(codeFor({ loopback: false })).toBe('forbidden')
    expect(codeFor(local)).toBe('allowed')
  })

  it.each([
    [{ origin: 'http://localhost:8080' }, 'http://localhost:8080/', 'allowed'],
    [{ origin: 'http://localhost:3000' }, 'http://localhost:8080/', 'forbidden'],
    [{ origin: 'https://localhost:8080' }, 'http://localhost:8080/', 'forbidden'],
    [{ origin: 'http://evil.example' }, 'http://localhost:8080/', 'forbidden'],
    [{ origin: 'null' }, 'http://localhost:8080/', 'forbidden'],
    [{}, 'http://127.0.0.1:8080/', 'allowed'],
    [{}, 'http://127.1.2.3/', 'allowed'],
    [{}, 'http://[::1]:8080/', 'allowed'],
    [{}, 'http://evil.example:8080/', 'forbidden'],
    [{}, 'http://localhost.evil.example/', 'forbidden'],
    [{}, 'http://127.0.0.1.evil.example/', 'forbidden'],
  ])('headers %j at %s: %s', (headers, url, code) => {
    expect(codeFor(local, headers, url)).toBe(code)
  })

  it('knows its advertised address', () => {
    const options = { ...local, advertisedUrl: 'https://coupons.example/' }
    expect(codeFor(options, { origin: 'https://coupons.example' }, 'http://coupons.example/')).toBe('allowed')
    expect(codeFor(options, { origin: 'https://other.example' }, 'http://coupons.example/')).toBe('forbidden')
  })
})
