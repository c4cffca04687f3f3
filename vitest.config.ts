import { defineConfig } from 'vitest/config'

const project = (
  name: string,
  include: string[],
  timeoutMs: number,
  globalSetup: string[] = [],
  exclude: string[] = [],
) => ({
  test: {
    name,
    include,
    exclude,
    globalSetup,
    pool: 'forks' as const,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
  },
})

/** Starts PostgreSQL and Redis, or uses those that test/run.ts started. */
const servers = ['test/servers/global-setup.ts']
/** Starts Apache Kafka, or uses the one that KAFKA_BROKERS names. */
const kafka = ['test/servers/kafka/global-setup.ts']
/** What kills, cuts or stops something for most of its time. */
const kafkaFaults = [
  'test/kafka/exactly-once/**/*.test.ts',
  'test/kafka/{chaos,eos,thread-death,processes-away}.test.ts',
  'test/kafka/scenarios/{kill,stores}.test.ts',
  'test/kafka/driver/{brokers,epochs}.test.ts',
]

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        ['{core,topology,state,log,processor,domain,gateway,sink,cli,bench}/**/*.test.ts', 'test/*.test.ts'],
        10_000,
      ),
      project('simulation', ['test/simulation/**/*.test.ts'], 120_000),
      project('integration', ['test/integration/**/*.test.ts'], 300_000, servers),
      project('fault', ['test/fault/**/*.test.ts'], 300_000, servers),
      project('kafka', ['test/kafka/**/*.test.ts'], 300_000, [...servers, ...kafka], kafkaFaults),
      project('kafka-fault', kafkaFaults, 300_000, [...servers, ...kafka]),
    ],
  },
})
