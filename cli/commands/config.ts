/** `millrace config`: each effective setting, where it came from, and every mistake. */
import { isMillraceError } from '#core'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { effectiveSettings, readSettings } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

export function showConfig(terminal: Terminal, options: { readonly json: boolean }): ExitCode {
  const settings = effectiveSettings(terminal.environment)
  if (options.json) {
    const byName = settings.map(({ name, value, from }) => [name, { value: value ?? null, from }])
    terminal.out(`${JSON.stringify(Object.fromEntries(byName), undefined, 2)}\n`)
  } else {
    const nameWidth = Math.max(...settings.map(({ name }) => name.length))
    const valueWidth = Math.max(...settings.map(({ value }) => shown(value).length))
    for (const { name, value, from } of settings) {
      terminal.out(`${name.padEnd(nameWidth)}  ${shown(value).padEnd(valueWidth)}  ${from}\n`)
    }
  }
  try {
    readSettings(terminal.environment)
    return exitCodes.ok
  } catch (error) {
    if (!isMillraceError(error)) throw error
    terminal.fail(error)
    return exitCodes.usage
  }
}

/** An empty value, such as no prefix, is nothing that could be seen. */
function shown(value: string | undefined): string {
  return value === undefined || value === '' ? '-' : value
}
