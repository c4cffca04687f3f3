/** What a command may touch of the process: results go to stdout, everything else to stderr. */
import { isMillraceError, messageOf } from '#core'

export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** One line on stderr for each thing that is wrong. */
  fail(error: unknown): void
}

export const processTerminal: Terminal = terminal({
  environment: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
})

export function terminal(parts: Omit<Terminal, 'fail'>): Terminal {
  return {
    ...parts,
    fail(error) {
      const code = isMillraceError(error) ? ` [${error.code}]` : ''
      for (const line of messageOf(error).split('\n')) parts.err(`millrace: ${line}${code}\n`)
    },
  }
}
