import { lastingPort } from './ports.ts'

/** Where a proxy listens for one broker, so that its clients are led back to it, and where that leads. */
export interface ProxiedListener {
  /** Of the broker's listener. */
  readonly name: string
  readonly nodeId: number
  /** The proxy's port: what the broker advertises on this listener. */
  readonly port: number
  /** The broker's port behind it. */
  readonly brokerPort: number
}

/** So many of one broker: `PROXIED0`, `PROXIED1`, … */
export async function proxiedListeners(nodeId: number, count: number): Promise<ProxiedListener[]> {
  const listeners: ProxiedListener[] = []
  for (let proxy = 0; proxy < count; proxy++) {
    const ports = { port: await lastingPort(), brokerPort: await lastingPort() }
    listeners.push({ name: `PROXIED${proxy}`, nodeId, ...ports })
  }
  return listeners
}
