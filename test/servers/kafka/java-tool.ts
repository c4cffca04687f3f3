/** One of Kafka's own command-line tools, run to its end. */
import { spawn } from 'node:child_process'
import { kafkaJava } from './jars.ts'

export interface ToolRun {
  /** The class with `main`. */
  readonly tool: string
  readonly parameters: readonly string[]
  /** Written to its standard input. */
  readonly input?: string
}

/** They start in half the time so. */
const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m']

/** Its standard output. Errors: it ended with another code than 0; with all that it printed. */
export async function runTool({ tool, parameters, input = '' }: ToolRun): Promise<string> {
  const { java, classpath } = await kafkaJava()
  const logs = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  const child = spawn(java, [...quick, logs, '-cp', classpath, tool, ...parameters])
  const output: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  // It may end without reading all of it.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const printed = Buffer.concat(output).toString()
  if (code === 0) return printed
  const name = tool.slice(tool.lastIndexOf('.') + 1)
  throw new Error(`${name} ended with ${code}:\n${Buffer.concat(errors).toString()}\n${printed}`)
}
