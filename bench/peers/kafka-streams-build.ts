/** The peer's classes and the jars they need, made once for each state of the sources, outside of the tree. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findBinary } from '../../test/servers/find-binary.ts'
import { cached } from '../../test/servers/kafka/cache.ts'
import { runMaven } from '../../test/servers/kafka/maven.ts'

const project = fileURLToPath(new URL('kafka-streams', import.meta.url))
const javaVersion = '17'

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

/** Errors: `missingTools`, or what Maven or the compiler printed. */
export async function kafkaStreamsBuild(): Promise<KafkaStreamsBuild> {
  const java = toolOf('java')
  // Apart, because the jars are large and change rarely.
  const jars = await cached(`kafka-streams-jars-${hashOf(['pom.xml'])}`, (folder) =>
    runMaven(toolOf('mvn'), [
      '-f',
      join(project, 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${folder}`,
    ]),
  )
  const sources = globSync('src/main/java/**/*.java', { cwd: project }).toSorted()
  const classes = await cached(`kafka-streams-peer-${hashOf(['pom.xml', ...sources])}`, async (folder) => {
    const files = sources.map((path) => join(project, path))
    const options = ['--release', javaVersion, '-Xlint:all', '-Werror', '-cp', `${jars}/*`, '-d', folder]
    await promisify(execFile)(toolOf('javac'), [...options, ...files])
  })
  return { java, classpath: `${classes}:${jars}/*` }
}

function toolOf(name: string): string {
  const path = findBinary(name)
  if (path === undefined) throw new Error(missingTools)
  return path
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(`${path}\0`).update(readFileSync(join(project, path)))
  return hash.digest('hex').slice(0, 16)
}
