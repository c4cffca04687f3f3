import { expect, onTestFinished, test } from 'vitest'
import { silentLogger, systemClock } from '#core'
import { KafkaAdmin } from './admin.ts'
import { code } from './broker-errors.ts'
import { Cluster } from './cluster.ts'
import { findCoordinator } from './protocol/find-coordinator.ts'
import { leaveGroup } from './protocol/group-members.ts'
import { coordinatorAt, startTestBroker } from './testing/test-broker.ts'

test('a member is left alone once the time to remove it is over', async () => {
  let isLoading = true
  const broker = await startTestBroker(() =>
    coordinatorAt(broker.address, isLoading ? code.coordinatorLoadInProgress : code.none),
  )
  const cluster = new Cluster({
    bootstrap: [broker.address],
    connection: { connectTimeout: 10_000, requestTimeout: 10_000 },
    // It tries again at once.
    clock: { ...systemClock, sleep: () => systemClock.yield() },
    logger: silentLogger,
  })
  onTestFinished(() => cluster.close())
  const admin = new KafkaAdmin(cluster, () => undefined)
  const time = new AbortController()
  const removing = admin.removeMember('g', 'i', time.signal)
  await broker.untilAsked(findCoordinator.key, 3)
  time.abort()
  isLoading = false
  await expect(removing).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
  for (let asked = 0; asked < 10; asked++) {
    cluster.forgetCoordinator('group', 'g')
    await cluster.coordinator('group', 'g')
  }
  expect(broker.asked).not.toContain(leaveGroup.key)
})
