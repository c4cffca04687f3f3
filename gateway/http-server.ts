/** The gateway behind node:http. */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { MillraceError, messageOf, systemClock } from '#core'
import type { Clock } from '#core'
import { AnswersTogether } from './answers-together.ts'
import { problem, problemText } from './http/problem.ts'
import type { Gateway } from './options.ts'

export interface HttpServer {
  readonly host: string
  /** The real one where 0 was asked for. */
  readonly port: number
  /** Stops accepting, ends waits, lets requests finish (5 seconds at most). Idempotent; the gateway stays open. */
  close(): Promise<void>
}

const finishMsMax = 5000
const idlePauseMs = 20

/** Errors: GATEWAY_PORT_TAKEN, GATEWAY_LISTEN_FAILED. */
export async function serveHttp(
  gateway: Pick<Gateway, 'fetch' | 'endWaits'>,
  options: { readonly host: string; readonly port: number; readonly clock?: Clock },
): Promise<HttpServer> {
  const clock = options.clock ?? systemClock
  const together = new AnswersTogether(clock)
  const answer = async (...request: Parameters<Gateway['fetch']>): Promise<Response> => {
    const response = await gateway.fetch(...request)
    await together.endOfTurn()
    return response
  }
  const listener = getRequestListener(answer, {
    // Before there is a request to answer: a Host or an address that cannot be understood.
    errorHandler: (error) =>
      problem('invalid-request', { detail: messageOf(error), members: { errors: [] } }),
  })
  // A missing Host and an Expect that it does not know node:http would refuse by itself, with an empty body.
  const server = createServer(
    { requireHostHeader: false },
    (incoming, outgoing) => void listener(incoming, outgoing),
  )
  server.on('checkExpectation', (incoming, outgoing) => refuseExpectation(incoming, outgoing))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(error, socket))
  await listen(server, options)
  const { address, port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  return {
    host: address,
    port,
    close: () => (closing ??= close(server, gateway, clock)),
  }
}

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE'
      reject(
        new MillraceError(
          taken ? 'GATEWAY_PORT_TAKEN' : 'GATEWAY_LISTEN_FAILED',
          taken
            ? `Port ${port} on ${host} is in use. Stop what uses it, or set PORT to another.`
            : `Cannot listen on ${host}:${port}: ${error.message}. Check HOST and PORT.`,
          { domain: 'user', reaction: 'stop', cause: error },
        ),
      )
    })
    server.listen(port, host, resolve)
  })
}

async function close(server: Server, gateway: Pick<Gateway, 'endWaits'>, clock: Clock): Promise<void> {
  const finished = new AbortController()
  const done = new Promise<void>((resolve) => {
    server.close(() => {
      finished.abort()
      resolve()
    })
  })
  gateway.endWaits()
  const deadline = clock.now() + finishMsMax
  // A connection kept alive is idle only after its last answer.
  while (!finished.signal.aborted && clock.now() < deadline) {
    server.closeIdleConnections()
    await clock.sleep(idlePauseMs, finished.signal)
  }
  server.closeAllConnections()
  await done
}

/** Whether the client sends its body after this answer is not known, so the connection ends. */
function refuseExpectation({ headers }: IncomingMessage, outgoing: ServerResponse): void {
  const body = problemText('invalid-request', {
    detail: `Expect: there is only 100-continue here; it is "${headers.expect}".`,
    members: { errors: [] },
  })
  outgoing.writeHead(400, { connection: 'close', 'content-type': 'application/problem+json' }).end(body)
}

/** What node:http could not parse gets a problem too. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const body = problemText('invalid-request', {
    detail: 'This is not a valid HTTP request.',
    members: { errors: [] },
  })
  socket.end(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
