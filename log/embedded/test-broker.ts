import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { systemClock } from '#core'
import type { Log, TopicSettings } from '../index.ts'
import { EmbeddedBroker, openEmbeddedLog } from './index.ts'
import type { EmbeddedBrokerOptions } from './index.ts'

/** A directory that is deleted after the test. */
export async function testDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-log-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return dir
}

/** A broker and a client in this thread; closed after the test at the latest. */
export async function openTestLog(
  dir: string,
  options: Partial<EmbeddedBrokerOptions> = {},
): Promise<{ broker: EmbeddedBroker; log: Log; readonly close: () => Promise<void> }> {
  const broker = await EmbeddedBroker.open({ dir, clock: systemClock, ...options })
  const log = await openEmbeddedLog(broker, { clock: options.clock ?? systemClock })
  const close = async (): Promise<void> => {
    await log.close()
    await broker.close()
  }
  onTestFinished(close)
  return { broker, log, close }
}

export async function createTopic(
  log: Log,
  name: string,
  settings: Partial<TopicSettings> = {},
  partitions = 1,
): Promise<void> {
  await log.admin.ensureTopics([{ name, partitions, settings: { cleanup: 'delete', ...settings } }])
}
