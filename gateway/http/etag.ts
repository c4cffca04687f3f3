/** Answers with an ETag over the whole body, and 304 to who has it already (RFC 9110, 13.1.2). */
import { hash } from 'node:crypto'

function etagOf(body: string): string {
  return `"${hash('sha1', body, 'base64url')}"`
}

/** Whether If-None-Match names the tag; comparison is weak. */
export function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

export function taggedJson(
  body: string,
  ifNoneMatch: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const etag = etagOf(body)
  const common = { etag, 'cache-control': 'no-cache', ...headers }
  if (matches(ifNoneMatch, etag)) return new Response(null, { status: 304, headers: common })
  return new Response(body, { status: 200, headers: { 'content-type': 'application/json', ...common } })
}
