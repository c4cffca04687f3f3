/** How one environment variable is read: text in, checked value out, with a message that says what is allowed. */
import { resolve } from 'node:path'
import { z } from 'zod'

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type DurationUnit = keyof typeof durationUnits

/** A whole number within [min, max]. */
export function integer(min: number, max: number): z.ZodType<number, string> {
  return checked(`a whole number from ${min} to ${max}`, (text) => {
    const value = Number(text)
    return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
  })
}

/** A number with its unit (`500ms`, `30s`, `15m`, `24h`, `7d`), in milliseconds, at least `min`. */
export function duration(min: string): z.ZodType<number, string> {
  const least = parseDuration(min) ?? 0
  return checked(`a duration of at least ${min}, such as 500ms, 30s, 15m, 24h or 7d`, (text) => {
    const value = parseDuration(text)
    return value !== undefined && value >= least ? value : undefined
  })
}

function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * durationUnits[match[2] as DurationUnit]
}

export function oneOf<const T extends string>(...values: readonly T[]): z.ZodType<T, string> {
  return checked(`one of ${values.join(', ')}`, (text) => values.find((value) => value === text))
}

/** Text of a form that `what` describes. */
export function matching(pattern: RegExp, what: string): z.ZodType<string, string> {
  return checked(what, (text) => (pattern.test(text) ? text : undefined))
}

/** A directory, made absolute against the working directory. */
export const directory: z.ZodType<string, string> = checked('a directory', (text) => resolve(text))

export type LogLocation =
  | { readonly kind: 'embedded'; readonly directory: string }
  | { readonly kind: 'kafka'; readonly url: string }

/** Brokers by name, IPv4 or [IPv6]; user, password and options are looked at when the log is opened. */
const kafkaForm =
  /^kafka:\/\/([^@/?]+@)?(\[[\da-fA-F:.]+\]|[^\s:,[\]@/?]+)(:\d{1,5})?(,(\[[\da-fA-F:.]+\]|[^\s:,[\]@/?]+)(:\d{1,5})?)*\/?(\?.*)?$/

/** `embedded:<directory>` or `kafka://[user:password@]host:port[,host:port…][?options]`. */
export const logLocation: z.ZodType<LogLocation, string> = checked(
  'embedded:<directory>, such as embedded:./data/log, or kafka://host:port,host:port',
  (text) => {
    if (/^embedded:./.test(text))
      return { kind: 'embedded', directory: resolve(text.slice('embedded:'.length)) }
    return kafkaForm.test(text) ? { kind: 'kafka', url: text } : undefined
  },
)

export type DatabaseLocation =
  | { readonly kind: 'pglite'; readonly directory: string }
  | { readonly kind: 'postgres'; readonly url: string }

/** `pglite:<directory>` or `postgres://user:password@host:port/database`. */
export const databaseLocation: z.ZodType<DatabaseLocation, string> = checked(
  'pglite:<directory> or postgres://user:password@host:port/database',
  (text) => {
    if (/^pglite:./.test(text)) return { kind: 'pglite', directory: resolve(text.slice('pglite:'.length)) }
    return /^postgres(ql)?:\/\/./.test(text) && URL.canParse(text)
      ? { kind: 'postgres', url: text }
      : undefined
  },
)

/** A URL of one of the schemes. */
export function url(...schemes: readonly string[]): z.ZodType<string, string> {
  return checked(`a URL that begins with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`, (text) =>
    schemes.some((scheme) => text.startsWith(`${scheme}://`)) && URL.canParse(text) ? text : undefined,
  )
}

/** The same URL to be shown: `user:hidden@`, `password=hidden`. Hosts may be several, which URL does not parse. */
export function withoutPassword(text: string): string {
  return text
    .replace(/^([a-z]+:\/\/[^:@/?]*:)[^@/?]*@/, '$1hidden@')
    .replaceAll(/([?&]password=)[^&]*/g, '$1hidden')
}

function checked<T>(what: string, read: (text: string) => T | undefined): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    const value = read(text)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `must be ${what}` })
    return z.NEVER
  })
}
