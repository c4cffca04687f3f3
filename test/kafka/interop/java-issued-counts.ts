/** `IssuedCounts` of the Kafka Streams peer as a process that is asked. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { kafkaStreamsBuild } from '../../../bench/peers/kafka-streams-build.ts'

export interface IssuedCounts {
  /** Pieces issued by coupon, as far as it has read; empty until it runs. Errors: what it printed, once it has ended. */
  counts(): Promise<Readonly<Record<string, number>>>
  stop(): Promise<void>
}

/** Built first if need be. @param settings of Kafka Streams, by their names */
export async function startIssuedCounts(
  topic: string,
  settings: Readonly<Record<string, string>>,
): Promise<IssuedCounts> {
  const { java, classpath } = await kafkaStreamsBuild()
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m']
  const logs = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'
  const pairs = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const child = spawn(java, [...quick, logs, '-cp', classpath, 'millrace.peer.IssuedCounts', topic, ...pairs])
  let printed = ''
  child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  // It may be gone before it reads.
  child.stdin.on('error', () => {})
  const ended = once(child, 'close')
  const answers = createInterface({ input: child.stdout })
  return {
    async counts() {
      const answer = once(answers, 'line') as Promise<[string]>
      child.stdin.write('count\n')
      const end = ended.then((): never => {
        throw new Error(`IssuedCounts has ended:\n${printed}`)
      })
      const [line] = await Promise.race([answer, end])
      return JSON.parse(line) as Record<string, number>
    },
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
