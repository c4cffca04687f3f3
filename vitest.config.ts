import { defineConfig } from 'vitest/config'

const project = (name: string, include: string[], timeoutMs: number) => ({
  test: { name, include, pool: 'forks' as const, testTimeout: timeoutMs, hookTimeout: timeoutMs },
})

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        ['{core,topology,state,log,processor,domain,gateway,sink,cli}/**/*.test.ts', 'test/*.test.ts'],
        10_000,
      ),
      project('integration', ['test/integration/**/*.test.ts'], 120_000),
      project('fault', ['test/fault/**/*.test.ts'], 600_000),
    ],
  },
})
