/** What `millrace start` says first: where it listens and the two lines to try it with. */
import { relative } from 'node:path'
import type { Settings } from './settings.ts'

/** The address to use from this machine, given the port it really listens on. */
export function localUrl(host: string, port: number): string {
  const everywhere = host === '0.0.0.0' || host === '::'
  const name = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

export function banner(settings: Settings, url: string, version: string): string {
  const token = settings.adminToken === undefined ? '' : " -H 'authorization: Bearer '$ADMIN_TOKEN"
  const json = "-H 'content-type: application/json'"
  const data = relative(process.cwd(), settings.logUrl.directory) || '.'
  return [
    `Millrace ${version} listens on ${url}`,
    '',
    'Open a coupon of 100, then claim one:',
    `  curl ${url}/api/v1/coupons ${json}${token} -d '{"couponId":"spring","stock":100}'`,
    `  curl ${url}/api/v1/coupons/spring/claims ${json} -H 'prefer: wait=5' -d '{"userId":"ann"}'`,
    '',
    `The log is in ${data}. Ctrl-C stops.`,
    '',
  ].join('\n')
}
