import { EmbeddedBroker, openEmbeddedLog, serveEmbeddedBroker } from '#log/embedded'
import type { Log } from '#log'
import { openLog } from './log-access.ts'
import { startFailed } from './start-failed.ts'
import type { EngineThreadData } from './thread-control.ts'
import type { ThreadContext } from './thread-host.ts'
import { topicSpecs } from './topics.ts'

/** The engine's log: Kafka, or the embedded one, which is then the engine's own and served to the other parts. */
export async function openEngineLog(context: ThreadContext<EngineThreadData>): Promise<Log> {
  const { data, settings, clock, logger, metrics, opened } = context
  const { logUrl } = settings
  if (logUrl.kind === 'kafka') {
    const log = await openLog(logUrl, settings, context)
    opened.push('log', () => log.close())
    return log
  }
  opened.push('log ports', async () => {
    for (const port of data.logs) port.close()
  })
  try {
    const broker = await EmbeddedBroker.open({ dir: logUrl.directory, clock, logger, metrics })
    opened.push('log', () => broker.close())
    const log = await openEmbeddedLog(broker, { clock, logger })
    opened.push('log client', () => log.close())
    await log.admin.ensureTopics(topicSpecs(settings))
    for (const port of data.logs) serveEmbeddedBroker(broker, port)
    return log
  } catch (error) {
    throw startFailed(error, 'LOG_URL', settings)
  }
}
