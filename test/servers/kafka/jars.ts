/** Apache Kafka and its tools as jars, fetched once by Maven. */
import { fileURLToPath } from 'node:url'
import { findBinary } from '../find-binary.ts'
import { cached } from './cache.ts'
import { runMaven } from './maven.ts'

const kafkaVersion = '4.2.1'

/** The first lines of a run that cannot go on. */
const missingKafka = [
  'The tests need Apache Kafka, and found neither a container runtime nor Java and Maven. Install them:',
  '  apt-get install -y openjdk-17-jdk-headless maven',
  'or set KAFKA_BROKERS=host:port to use a Kafka that runs (some tests start brokers of their own and need Java).',
].join('\n')

export interface KafkaJava {
  /** The program `java`. */
  readonly java: string
  /** For `-cp`. */
  readonly classpath: string
}

/** Errors: a text that begins with `missingKafka` without Java, or without Maven while the jars are not there yet. */
export async function kafkaJava(): Promise<KafkaJava> {
  const java = findBinary('java')
  if (java === undefined) throw new Error(missingKafka)
  const folder = await cached(`kafka-${kafkaVersion}`, fetchJars)
  return { java, classpath: `${folder}/*` }
}

async function fetchJars(folder: string): Promise<void> {
  const maven = findBinary('mvn')
  if (maven === undefined) throw new Error(missingKafka)
  const pom = fileURLToPath(new URL('pom.xml', import.meta.url))
  await runMaven(maven, ['-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`])
}
