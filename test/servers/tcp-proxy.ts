/** A wire to a server that a test can cut. */
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface TcpProxy {
  /** The server's URL by way of this proxy. */
  readonly url: string
  /** Ends every connection and refuses new ones. */
  cut(): void
  /** Keeps connections, but lets nothing through: as a machine that is gone without a word. */
  hang(): void
  /** Lets everything through again; connections that hung are ended. */
  restore(): void
  close(): Promise<void>
}

export async function startTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let mode: 'open' | 'cut' | 'hang' = 'open'
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  }
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const join = (near: Socket): void => {
    const far = connect(Number(target.port), target.hostname)
    keep(far)
    near.pipe(far)
    far.pipe(near)
    near.once('close', () => far.destroy())
    far.once('close', () => near.destroy())
  }
  const server = createServer((near) => {
    keep(near)
    if (mode === 'cut') near.destroy()
    else if (mode === 'hang') near.pause()
    else join(near)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    cut() {
      mode = 'cut'
      endAll()
    },
    hang() {
      mode = 'hang'
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    restore() {
      if (mode === 'hang') endAll()
      mode = 'open'
    },
    async close() {
      endAll()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}
