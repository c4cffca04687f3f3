import { defineConfig } from 'vitest/config'

const project = (name: string, include: string[], timeoutMs: number, globalSetup: string[] = []) => ({
  test: {
    name,
    include,
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

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        ['{core,topology,state,log,processor,domain,gateway,sink,cli,bench}/**/*.test.ts', 'test/*.test.ts'],
        10_000,
      ),
      project('simulation', ['test/simulation/**/*.test.ts'], 120_000),
      project('integration', ['test/integration/**/*.test.ts'], 120_000, servers),
      project('fault', ['test/fault/**/*.test.ts'], 180_000, servers),
      project('kafka', ['test/kafka/**/*.test.ts'], 300_000, [...servers, ...kafka]),
    ],
  },
})
