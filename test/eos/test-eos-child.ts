/** The engine alone in a process of its own: LOG_URL, STATE_DIR, APP_ID, TOPIC_PREFIX. SIGTERM stops it in order. */
import { messageOf, systemClock } from '#core'
import { openKafkaLog } from '#log/kafka'
import { startStreams } from '#processor'
import { createLogger } from '../../cli/compose/logger.ts'
import { eosTopics, eosTopology } from './topology.ts'

const {
  LOG_URL: url = '',
  STATE_DIR: stateDir = '',
  APP_ID: appId = '',
  TOPIC_PREFIX: prefix = '',
} = process.env

const clock = systemClock
const logger = createLogger({ level: 'info', worker: 'eos', readable: false })
const log = await openKafkaLog({ url, clock, logger })
const streams = await startStreams({
  topology: eosTopology(eosTopics(prefix)),
  log,
  appId,
  stateDir,
  clock,
  logger,
  standbys: 2,
  // Tasks move while their states do, as the original has it.
  warmUp: { tasksMax: 100 },
})

async function stop(): Promise<void> {
  await streams.stop()
  await log.close()
  process.exit(0)
}

function fail(error: unknown): void {
  logger.error({ error: messageOf(error) }, 'the test process cannot go on')
  process.exit(1)
}

process.once('SIGTERM', () => void stop().catch(fail))
void streams.failed.then(fail)
while (!streams.state().ready) await clock.sleep(5)
logger.info({}, 'ready')
