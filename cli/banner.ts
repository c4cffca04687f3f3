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
  const token = settings.adminToken === undefined ? '' : " -H 'authorization: Bearer '$ADMIN_TOKEN"
  const json = "-H 'content-type: application/json'"
  return [
    'Open a coupon of 100, then claim one:',
    `  curl ${url}/api/v1/coupons ${json}${token} -d '{"couponId":"spring","stock":100}'`,
    `  curl ${url}/api/v1/coupons/spring/claims ${json} -H 'prefer: wait=5' -d '{"userId":"ann"}'`,
  ]
}

function whereLogIs({ logUrl }: Settings): string {
  if (logUrl.kind === 'kafka') return withoutPassword(logUrl.url)
  return relative(process.cwd(), logUrl.directory) || '.'
}
