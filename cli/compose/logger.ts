/** pino behind core's Logger: JSON lines on stderr, or one readable line each when stderr is a terminal. */
import { pino } from 'pino'
import type { Logger } from '#core'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** `worker` names who wrote the line; every thread writes to stderr itself, a line at a time. */
export function createLogger(options: {
  readonly level: LogLevel
  readonly worker: string
  readonly readable: boolean
}): Logger {
  const destination = pino.destination({ fd: 2, sync: true })
  const stream = options.readable
    ? { write: (line: string) => void destination.write(readableLine(line)) }
    : destination
  return adapt(
    pino(
      {
        level: options.level,
        base: { worker: options.worker },
        serializers: { error: pino.stdSerializers.err },
      },
      stream,
    ),
  )
}

type Pino = ReturnType<typeof pino>

function adapt(log: Pino): Logger {
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    child: (fields) => adapt(log.child(fields)),
  }
}

const levels: Readonly<Record<number, string>> = {
  20: '\u001B[2mdebug\u001B[0m',
  30: '\u001B[32minfo\u001B[0m ',
  40: '\u001B[33mwarn\u001B[0m ',
  50: '\u001B[31merror\u001B[0m',
}

interface LogLine {
  readonly level: number
  readonly time: number
  readonly worker: string
  readonly msg?: string
  readonly error?: string | { readonly stack?: string; readonly message?: string }
}

/** `12:00:00.123 info  [worker] message  key=value …` from one of pino's JSON lines. */
export function readableLine(line: string): string {
  const { level, time, worker, msg = '', error, ...fields } = JSON.parse(line) as LogLine
  const clock = new Date(time).toISOString().slice(11, 23)
  const cause = typeof error === 'string' ? error : error?.message
  const details = Object.entries(cause === undefined ? fields : { ...fields, error: cause }).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const rest = details.length === 0 ? '' : `  \u001B[2m${details.join(' ')}\u001B[0m`
  const stack = typeof error === 'string' ? undefined : error?.stack
  const trace = stack === undefined ? '' : `\n${stack}`
  return `${clock} ${levels[level] ?? level} [${worker}] ${msg}${rest}${trace}\n`
}
