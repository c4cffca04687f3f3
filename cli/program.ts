/** The command line: what there is, how it is called, what it answers. Each command loads only what it needs. */
import { Command, CommanderError, Option } from 'commander'
import type { TopologyFormat } from './commands/topology-describe.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import type { ExitCode } from './exit-codes.ts'
import { processKinds } from './process-kinds.ts'
import type { ProcessKind } from './process-kinds.ts'
import { processTerminal } from './terminal.ts'
import type { Terminal } from './terminal.ts'
import { version } from './version.ts'

const examples = `
Examples:
  millrace start                    everything in one process: log, processor, gateway, SQL copy
  PORT=9090 millrace start          the same on another port
  LOG_URL=kafka://localhost:9092 millrace start
                                    the same on Kafka
  millrace gateway                  one part alone, on Kafka; so are processor and sink
  millrace config                   every setting, its value and where it came from
  millrace topology describe        what the stream processor computes, in Kafka Streams' layout

Settings are environment variables; "millrace config" lists them and the README explains them.
Results go to stdout, logs and errors to stderr. Exit codes: 0 ok, 1 failed, 2 wrong usage or settings.
`

/** Runs one command line (without node and script) and answers its exit code. */
export async function run(args: readonly string[], terminal: Terminal = processTerminal): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok
  const program = new Command('millrace')
    .description('Exactly-once stream processing, and a first-come-first-served coupon service built on it.')
    .version(version())
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showHelpAfterError('Run "millrace --help" for the commands and examples.')
    .addHelpText('after', examples)

  for (const [kind, description] of Object.entries(processKinds) as [ProcessKind, string][]) {
    program
      .command(kind)
      .description(description)
      .action(async () => {
        const { runProcess } = await import('./commands/run-process.ts')
        exitCode = await runProcess(terminal, kind)
      })
  }

  program
    .command('config')
    .description('print every setting with its value and where it came from; secrets are hidden')
    .option('--json', 'as one JSON object', false)
    .action(async (options: { json: boolean }) => {
      const { showConfig } = await import('./commands/config.ts')
      exitCode = showConfig(terminal, options)
    })

  program
    .command('topology')
    .description('look at what the stream processor computes')
    .command('describe')
    .description('print the topology: sources, processors with their stores, sinks')
    .addOption(new Option('--app <name>', 'which application').choices(['coupon']).default('coupon'))
    .addOption(
      new Option('--format <format>', 'the layout').choices(['text', 'json', 'mermaid']).default('text'),
    )
    .action(async (options: { format: TopologyFormat }) => {
      const { describeTopology } = await import('./commands/topology-describe.ts')
      exitCode = describeTopology(terminal, options)
    })

  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    terminal.fail(error)
    return exitCodeOf(error)
  }
}
