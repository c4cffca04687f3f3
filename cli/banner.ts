/** What a process says first: where it listens, and what can be done there. */
import { relative } from 'node:path'
import type { ProcessKind } from './process-kinds.ts'
import { withoutPassword } from './settings-types.ts'
import type { Settings } from './settings.ts'
import { version } from './version.ts'

/** The address to use from this machine, given the port it really listens on. */
export function localUrl(host: string, port: number): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

/** Without a token operators' calls are open on such a HOST, and refused elsewhere. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

export function banner(kind: ProcessKind, settings: Settings, url: string): string {
  const name = kind === 'start' ? `Millrace ${version()}` : `Millrace ${version()} ${kind}`
  const ending = ['', `The log is in ${whereLogIs(settings)}. Ctrl-C stops.`, '']
  const lines =
    kind === 'start' || kind === 'gateway'
      ? [`${name} listens on ${url}`, '', ...firstCalls(settings, url), ...ending]
      : [`${name} shows its health on ${url}/readyz`, ...ending]
  return lines.join('\n')
}

function firstCalls(settings: Settings, url: string): string[] {
  const { adminToken, host } = settings
  const token = adminToken === undefined ? '' : " -H 'authorization: Bearer '$ADMIN_TOKEN"
  const json = "-H 'content-type: application/json'"
  const claim = `  curl ${url}/api/v1/coupons/spring/claims ${json} -H 'prefer: wait=5' -d '{"userId":"ann"}'`
  if (adminToken === undefined && !isLoopback(host)) {
    return [
      'Operator calls are refused here: set ADMIN_TOKEN (8 characters or more) and start again.',
      'Claim one of a coupon that is open:',
      claim,
    ]
  }
  return [
    'Open a coupon of 100, then claim one:',
    `  curl ${url}/api/v1/coupons ${json}${token} -d '{"couponId":"spring","stock":100}'`,
    claim,
  ]
}

function whereLogIs({ logUrl }: Settings): string {
  if (logUrl.kind === 'kafka') return withoutPassword(logUrl.url)
  return relative(process.cwd(), logUrl.directory) || '.'
}
