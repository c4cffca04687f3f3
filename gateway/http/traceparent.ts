/** W3C trace context, carried from the request into the command's headers. */
import type { RecordHeaders } from '#core'

const form = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Undefined without a valid one. */
export function traceHeaders(traceparent: string | null | undefined): RecordHeaders | undefined {
  if (traceparent === null || traceparent === undefined || !form.test(traceparent)) return undefined
  return [{ key: 'traceparent', value: traceparent }]
}
