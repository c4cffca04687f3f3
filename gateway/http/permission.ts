/**
 * Who may make operators' calls: the bearer of the configured token; without one everybody who reaches a gateway
 * that listens on loopback only, and then no page of another origin and no rebound name (foreign Origin or Host).
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { HttpProblem } from './problem.ts'

export interface PermissionOptions {
  readonly adminToken?: string | undefined
  readonly loopback: boolean
  readonly advertisedUrl?: string | undefined
}

/** Errors (thrown by the returned check): unauthenticated, forbidden. */
export function operatorPermission(options: PermissionOptions): (request: Request) => void {
  const { adminToken, loopback, advertisedUrl } = options
  if (adminToken !== undefined) {
    const expected = digest(adminToken)
    return (request) => {
      const given = /^Bearer +(\S+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1]
      // Digests have one length, so the comparison takes the same time whatever was given.
      if (given === undefined || !timingSafeEqual(digest(given), expected)) {
        throw new HttpProblem('unauthenticated', {
          detail: 'Operators send "Authorization: Bearer …" with the value of ADMIN_TOKEN.',
        })
      }
    }
  }
  if (!loopback) {
    return () => {
      throw new HttpProblem('forbidden', {
        detail: 'Set ADMIN_TOKEN: without it operators may call only a gateway that listens on loopback.',
      })
    }
  }
  const advertised = advertisedUrl === undefined ? undefined : new URL(advertisedUrl)
  return (request) => {
    const url = new URL(request.url)
    const host = request.headers.get('host') ?? url.host
    if (host !== advertised?.host && !isLoopbackHost(host)) throw foreign('Host', host)
    const origin = request.headers.get('origin')
    if (origin !== null && origin !== `${url.protocol}//${host}` && origin !== advertised?.origin) {
      throw foreign('Origin', origin)
    }
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function isLoopbackHost(host: string): boolean {
  return /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i.test(host)
}

function foreign(header: string, value: string): HttpProblem {
  return new HttpProblem('forbidden', {
    detail: `${header} "${value}" is foreign here. Call the gateway by its loopback address, or set ADMIN_TOKEN.`,
  })
}
