/** `Prefer: wait=S` (RFC 7240). What is not valid is ignored, as the RFC asks. */

/** A client waits no longer than this, seconds. */
const waitSecondsMax = 30

/** One preference: a token, then perhaps a value and parameters; quoted strings may hold commas. */
const preference =
  /\s*([!#$%&'*+\-.^_`|~\w]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s,;"]*))?((?:\s*;\s*(?:"(?:[^"\\]|\\.)*"|[^,;"])*)*)\s*(?:,|$)/y

/** Whole seconds to wait, capped; undefined when none (or nothing valid) is asked for. */
export function waitSeconds(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  preference.lastIndex = 0
  while (preference.lastIndex < header.length) {
    const match = preference.exec(header)
    if (match === null) return undefined
    // Of a preference named twice the first counts.
    if (match[1]?.toLowerCase() === 'wait') return secondsOf(match[2] ?? '')
  }
  return undefined
}

function secondsOf(value: string): number | undefined {
  const digits = /^(?:"(\d{1,9})"|(\d{1,9}))$/.exec(value)
  if (digits === null) return undefined
  return Math.min(Number(digits[1] ?? digits[2]), waitSecondsMax)
}
