/**
 * The conformance suite of the log port: one set of tests for every driver. A driver calls `logSuite` from a test
 * file of its own, once for each way it can be reached.
 */
import { afterEach, beforeEach, describe, it } from 'vitest'
import { adminTests } from './admin.ts'
import { appendTests } from './append.ts'
import { compactionTests } from './compaction.ts'
import { groupTests } from './groups.ts'
import { contextOf } from './harness.ts'
import type { Define, LogHarness, LogSuiteOptions, TestContext } from './harness.ts'
import { lifecycleTests, killTests, reopenTests } from './lifecycle.ts'
import { readTests } from './read.ts'
import { transactionTests } from './transactions.ts'

export type { LogHarness, LogSuiteOptions } from './harness.ts'

export function logSuite({ name, open, supports = {}, skip = [] }: LogSuiteOptions): void {
  describe(`log port: ${name}`, () => {
    let harness: LogHarness | undefined
    let context: TestContext
    beforeEach(async () => {
      harness = await open()
      context = contextOf(harness)
    })
    afterEach(async () => {
      await harness?.close()
      harness = undefined
    })
    const define: Define = (title, body) => {
      const reason = skip.find(({ tests }) => tests.includes(title))?.reason
      if (reason === undefined) it(title, () => body(context))
      else it.skip(`${title} (${reason})`, () => undefined)
    }
    describe('append', () => appendTests(define))
    describe('read', () => readTests(define))
    describe('admin', () => adminTests(define))
    describe('transactions', () => transactionTests(define))
    describe('groups', () => groupTests(define))
    describe('lifecycle', () => lifecycleTests(define))
    if (supports.kill) describe('a client that crashes', () => killTests(define))
    if (supports.reopen) describe('after reopen', () => reopenTests(define))
    if (supports.compact) describe('compaction', () => compactionTests(define))
  })
}
