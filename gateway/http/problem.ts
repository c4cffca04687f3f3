/** Every 4xx and 5xx answer: RFC 9457 problem details, from one catalogue of codes. */
import { isMillraceError } from '#core'

const catalogue = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'Credentials are missing or wrong' },
  forbidden: { status: 403, title: 'This is not permitted' },
  'not-found': { status: 404, title: 'There is nothing at this address' },
  'unknown-coupon': { status: 404, title: 'There is no such coupon' },
  'unknown-claim': { status: 404, title: 'There is no such claim' },
  'method-not-allowed': { status: 405, title: 'The address does not take this method' },
  'coupon-exists': { status: 409, title: 'The coupon exists with other terms' },
  closed: { status: 409, title: 'The coupon is closed' },
  ended: { status: 409, title: 'The coupon has ended' },
  paused: { status: 409, title: 'The coupon is paused' },
  'not-started': { status: 409, title: 'The coupon has not started' },
  'limit-reached': { status: 409, title: 'The user holds as many pieces as one may' },
  'sold-out': { status: 409, title: 'The coupon is sold out' },
  'stock-limit': { status: 409, title: 'The stock would exceed its limit' },
  'not-issued': { status: 409, title: 'The claim holds nothing to give back' },
  'claim-expired': { status: 410, title: 'The claim is no longer kept' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not JSON' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used for another request' },
  internal: { status: 500, title: 'Something went wrong here' },
  'internal-error': { status: 500, title: 'The request could not be decided' },
  overloaded: { status: 503, title: 'Too much is under way' },
  'log-unavailable': { status: 503, title: 'The log cannot be reached' },
  'not-ready': { status: 503, title: 'The process is not ready' },
  'store-unavailable': { status: 503, title: 'The store cannot be reached' },
  'outcome-unknown': { status: 504, title: 'What became of the request is not known' },
} as const

export type ProblemCode = keyof typeof catalogue

export const problemCodes = Object.keys(catalogue) as readonly ProblemCode[]

export interface ProblemDetails {
  /** What happened in this case and what to do next. */
  readonly detail?: string
  /** Further members of the body. */
  readonly members?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

export function statusOf(code: ProblemCode): number {
  return catalogue[code].status
}

export function problemText(code: ProblemCode, details: ProblemDetails = {}): string {
  const { status, title } = catalogue[code]
  return JSON.stringify({
    type: `/problems/${code}`,
    title,
    status,
    detail: details.detail ?? title,
    code,
    ...details.members,
  })
}

const problemType = 'application/problem+json'

export function problem(code: ProblemCode, details: ProblemDetails = {}): Response {
  return new Response(problemText(code, details), {
    status: catalogue[code].status,
    headers: { 'content-type': problemType, ...defaultHeaders[code], ...details.headers },
  })
}

const defaultHeaders: Partial<Record<ProblemCode, Readonly<Record<string, string>>>> = {
  unauthenticated: { 'www-authenticate': 'Bearer realm="millrace"' },
  overloaded: { 'retry-after': '1' },
  'log-unavailable': { 'retry-after': '1' },
  'store-unavailable': { 'retry-after': '1' },
  'not-ready': { 'retry-after': '1' },
}

/**
 * The same answer again and again without building it: for refusals on the hot path.
 * @returns a maker of responses; a Response can be sent only once
 */
export function cannedProblem(code: ProblemCode, details: ProblemDetails = {}): () => Response {
  const text = problemText(code, details)
  const init = {
    status: catalogue[code].status,
    headers: { 'content-type': problemType, ...defaultHeaders[code], ...details.headers },
  }
  return () => new Response(text, init)
}

/** Thrown off the hot path; the application turns it into its answer. */
export class HttpProblem extends Error {
  readonly code: ProblemCode
  readonly details: ProblemDetails

  constructor(code: ProblemCode, details: ProblemDetails = {}) {
    super(details.detail ?? catalogue[code].title)
    this.name = 'HttpProblem'
    this.code = code
    this.details = details
  }

  response(): Response {
    return problem(this.code, this.details)
  }
}

/** One thing wrong with a request; `path` names a member with dots, a parameter or a header. */
export interface RequestFault {
  readonly path: string
  readonly detail: string
}

export function invalidRequest(errors: readonly RequestFault[]): HttpProblem {
  const detail = errors.map((fault) => (fault.path === '' ? '' : `${fault.path}: `) + fault.detail).join('; ')
  return new HttpProblem('invalid-request', { detail, members: { errors } })
}

/** What an error of the log, the store or our own means to a client; undefined for what nobody expected. */
export function problemOf(error: unknown): HttpProblem | undefined {
  if (error instanceof HttpProblem) return error
  if (!isMillraceError(error)) return undefined
  switch (error.code) {
    case 'LOG_APPEND_UNKNOWN':
      return new HttpProblem('outcome-unknown', {
        detail: 'The request may have been written or not. Repeat it with the same Idempotency-Key.',
      })
    case 'LOG_OVERLOADED':
      return new HttpProblem('overloaded', { detail: 'Nothing was written. Try again in a moment.' })
    case 'LOG_UNAVAILABLE':
    case 'LOG_FAILED':
    case 'LOG_APPEND_FAILED':
    case 'LOG_CLOSED':
    case 'RPC_CLOSED':
      return new HttpProblem('log-unavailable', { detail: 'Nothing was written. Try again in a moment.' })
    case 'SINK_STORE_UNAVAILABLE':
      return new HttpProblem('store-unavailable', {
        detail: 'This list comes from the store. Try again later.',
      })
    default:
      return undefined
  }
}
