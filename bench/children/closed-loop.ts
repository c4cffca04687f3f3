import { claimRequest } from '../load/claim-request.ts'
import { HttpConnection } from '../load/connection.ts'
import { measured } from '../runner/measured.ts'
import { closedLoopScript } from './scripts.ts'

measured(closedLoopScript, async (load) => {
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => HttpConnection.open(load.url)),
  )
  const startedAt = performance.now()
  const endAt = startedAt + load.seconds * 1000
  let user = 0
  let answers = 0
  let refused = 0
  let broken = 0
  const run = async (connection: HttpConnection): Promise<void> => {
    while (performance.now() < endAt) {
      try {
        const { status } = await connection.exchange(claimRequest(load, `${load.userPrefix}${user++}`))
        answers++
        if (status >= 400) refused++
      } catch {
        broken++
        return
      }
    }
  }
  await Promise.all(connections.map(run))
  const seconds = (performance.now() - startedAt) / 1000
  for (const connection of connections) connection.close()
  return { answers, seconds, refused, broken }
})
