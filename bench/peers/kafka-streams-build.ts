/** The peer's jars, built by Maven once for each state of its sources, outside of the tree. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { cached } from '../../test/servers/kafka/cache.ts'
import { runMaven } from '../../test/servers/kafka/maven.ts'
import { findBinary } from '../../test/servers/find-binary.ts'

const project = fileURLToPath(new URL('kafka-streams', import.meta.url))

const missingTools = [
  'The Kafka Streams peer needs a Java compiler and Maven. Install them:',
  '  apt-get install -y openjdk-17-jdk-headless maven',
].join('\n')

interface KafkaStreamsBuild {
  /** The program. */
  readonly java: string
  /** For `-cp`. */
  readonly classpath: string
}

/** Errors: `missingTools`, or what Maven printed. */
export async function kafkaStreamsBuild(): Promise<KafkaStreamsBuild> {
  const java = findBinary('java')
  if (java === undefined) throw new Error(missingTools)
  const folder = await cached(`kafka-streams-peer-${sourceHash()}`, async (unfinished) => {
    const maven = findBinary('mvn')
    if (maven === undefined || findBinary('javac') === undefined) throw new Error(missingTools)
    await runMaven(maven, ['-f', `${project}/pom.xml`, 'package', `-Dbuild.folder=${unfinished}`])
  })
  return { java, classpath: `${folder}/*` }
}

function sourceHash(): string {
  const hash = createHash('sha256')
  for (const path of globSync(['pom.xml', 'src/**/*.java'], { cwd: project }).toSorted()) {
    hash.update(`${path}\0`).update(readFileSync(`${project}/${path}`))
  }
  return hash.digest('hex').slice(0, 16)
}
