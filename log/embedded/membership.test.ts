import { MessageChannel } from 'node:worker_threads'
import { describe, expect, it, vi } from 'vitest'
import { silentLogger, systemClock } from '#core'
import type { GroupListener, JoinOptions, TopicPartition } from '../index.ts'
import { stickyAssignor } from '../conformance/sticky-assignor.ts'
import { openEmbeddedLog, serveEmbeddedBroker } from './index.ts'
import { createTopic, openTestLog, testDirectory } from './test-broker.ts'

function recording(events: string[], name: string): GroupListener {
  const write = (what: string) => async (partitions: readonly TopicPartition[]) => {
    for (const { partition } of partitions) events.push(`${name} ${what} ${partition}`)
  }
  return { assigned: write('assigned'), revoked: write('revoked'), lost: write('lost') }
}

function joinOptions(events: string[], name: string, more: Partial<JoinOptions> = {}): JoinOptions {
  return { group: 'g', topics: ['t'], assignor: stickyAssignor, listener: recording(events, name), ...more }
}

async function fail(): Promise<void> {
  throw new Error('bad listener')
}

describe('a member', () => {
  it('is told that all is lost when its port closes', async () => {
    const { broker, log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const { port1, port2 } = new MessageChannel()
    serveEmbeddedBroker(broker, port1)
    const client = await openEmbeddedLog(port2, { clock: systemClock })
    const events: string[] = []
    await client.join(joinOptions(events, 'a'))
    await vi.waitFor(() => expect(events).toEqual(['a assigned 0']))
    port1.close()
    await vi.waitFor(() => expect(events).toEqual(['a assigned 0', 'a lost 0']))
    await client.close()
  })

  it('is replaced by one with the same instance id', async () => {
    const { log } = await openTestLog(await testDirectory())
    await createTopic(log, 't')
    const events: string[] = []
    await log.join(joinOptions(events, 'old', { instanceId: 'i' }))
    await vi.waitFor(() => expect(events).toEqual(['old assigned 0']))
    const successor = await log.join(joinOptions(events, 'new', { instanceId: 'i' }))
    await vi.waitFor(() => expect(events).toEqual(['old assigned 0', 'old lost 0', 'new assigned 0']))
    expect(successor.metadata().instanceId).toBe('i')
  })

  it('gets the partitions of a topic that is created later', async () => {
    const { log } = await openTestLog(await testDirectory())
    const events: string[] = []
    await log.join(joinOptions(events, 'a'))
    await createTopic(log, 't', {}, 2)
    await vi.waitFor(() => expect(events).toEqual(['a assigned 0', 'a assigned 1']))
  })

  it('keeps what it owns when an assignor fails', async () => {
    const problems: object[] = []
    const logger = { ...silentLogger, error: (fields: object) => void problems.push(fields) }
    const { log } = await openTestLog(await testDirectory(), { logger })
    await createTopic(log, 't')
    const events: string[] = []
    let broken = false
    const assignor: JoinOptions['assignor'] = (members, counts) => {
      if (broken) throw new Error('bad day')
      return stickyAssignor(members, counts)
    }
    await log.join(joinOptions(events, 'a', { assignor }))
    await vi.waitFor(() => expect(events).toEqual(['a assigned 0']))
    broken = true
    const second = await log.join(joinOptions(events, 'b'))
    await vi.waitFor(() => expect(problems).toMatchObject([{ problem: 'bad day' }]))
    broken = false
    await second.leave()
    expect(events).toEqual(['a assigned 0'])
  })

  it('does not stop the group when its listener fails', async () => {
    const { log } = await openTestLog(await testDirectory())
    await createTopic(log, 't', {}, 2)
    const events: string[] = []
    const listener = { assigned: fail, revoked: fail, lost: fail }
    const member = await log.join(joinOptions(events, 'a', { listener }))
    await vi.waitFor(() => expect(member.metadata().generation).toBeGreaterThan(0))
    await log.join(joinOptions(events, 'b'))
    await vi.waitFor(() => expect(events.length).toBe(1))
    await member.leave()
    await vi.waitFor(() => expect(events.length).toBe(2))
  })
})
