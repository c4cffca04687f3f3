/** The command line of `npm run bench`. */
import { resolve } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { SizeOptions } from './sizes.ts'

export interface Arguments {
  /** `bench` or `bench/variant`; empty: everything. */
  readonly cases: readonly string[]
  readonly list: boolean
  readonly json: boolean
  readonly sizes: SizeOptions
  readonly profileDirectory: string | undefined
}

interface Options {
  readonly list: boolean
  readonly json: boolean
  readonly quick: boolean
  readonly records?: number
  readonly seconds?: number
  readonly repetitions?: number
  readonly profile?: string
}

const more = `
A CASE is a benchmark (drain) or one variant of it (drain/half-issued); without any, all are run.
Progress goes to stderr, one table (or the JSON lines) to stdout at the end. Nothing is judged by its speed: the exit
code is 1 when a benchmark failed or its result was wrong, 2 for wrong usage.

Examples:
  npm run bench -- --list
  npm run bench -- --quick drain gateway
  npm run bench -- --records 500000 --profile /tmp/profiles drain/half-issued
`

/** Undefined when there is nothing to run: help was asked for, or the usage was wrong (`exitCode` says which). */
export function readArguments(args: readonly string[]): Arguments | { readonly exitCode: number } {
  const command = new Command('npm run bench --')
    .description('Measures Millrace, and checks that what was measured was right.')
    .argument('[CASE...]', 'what to measure')
    .option('--quick', 'small sizes: to see that everything works, not for figures', false)
    .option('--records <n>', 'requests, results, users or claims of each case', positiveInteger)
    .option('--seconds <n>', 'length of each timed round', positiveInteger)
    .option('--repetitions <n>', 'how often each case is measured', positiveInteger)
    .option('--json', 'one JSON object a line instead of the table', false)
    .option('--profile <dir>', 'write a CPU profile of every thread of the measured processes')
    .option('--list', 'print the cases and end', false)
    .addHelpText('after', more)
    .exitOverride()
  try {
    command.parse(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 }
    throw error
  }
  const { list, json, profile, ...sizes } = command.opts<Options>()
  return {
    cases: command.args,
    list,
    json,
    sizes,
    profileDirectory: profile === undefined ? undefined : resolve(profile),
  }
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.')
  return Number(text)
}
