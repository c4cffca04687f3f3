/** The checks of a workload: a fast wrong answer must fail. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stateDirectoryOf } from './data-directory.ts'
import { withLog } from './with-log.ts'
import { issuedOf } from './claims.ts'
import { preload } from './preload.ts'
import { startWorkload, untilCommitted } from './stream.ts'
import { workloadOf } from './workload.ts'
import type { WorkloadSpec } from './workload.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-workload-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const silent = (): void => {}

/** Processes `spec`, then checks the outcome as if it had been `expected`. */
async function checked(spec: WorkloadSpec, expected: WorkloadSpec): Promise<void> {
  const workload = workloadOf(spec)
  const stateDirectory = stateDirectoryOf(directory)
  await withLog({ directory }, async (log) => {
    await preload(log, workload, silent)
    const streams = await startWorkload(log, workload, stateDirectory)
    await untilCommitted(log, streams, workload, silent)
    await streams.stop()
    await workloadOf(expected).checkOutputs(log)
    await workloadOf(expected).checkState(stateDirectory)
  })
}

describe('claims', () => {
  const spec = { kind: 'claims', claims: 101, coupons: 3, stock: 20 } as const
  it('are issued while there is stock', async () => {
    expect(issuedOf(spec)).toBe(60)
    expect(issuedOf({ ...spec, stock: 34 })).toBe(101)
    await checked(spec, spec)
  })
  it('fail when another number was issued', async () => {
    await expect(checked(spec, { ...spec, stock: 21 })).rejects.toThrow('the results are')
  })
})

describe('puts', () => {
  it('fill the store', () => checked({ kind: 'puts', records: 50 }, { kind: 'puts', records: 50 }))
  it('fail when an entry is missing', async () => {
    const more = { kind: 'puts', records: 51 } as const
    await expect(checked({ kind: 'puts', records: 50 }, more)).rejects.toThrow('50 entries, not 51')
  })
})
