/**
 * Calls over a MessagePort: an interface served in one thread, used in another.
 *
 * Every method takes structured-cloneable arguments and returns a promise. Large ArrayBuffers travel without a copy
 * when they are named in `transfer(...)`. Errors keep code, domain, reaction and context across the port.
 */
import type { MessagePort, Transferable } from 'node:worker_threads'
import { MillraceError, isMillraceError, messageOf } from './errors.ts'
import type { ErrorDomain, Reaction } from './errors.ts'

/** The methods of T that can be served: those that return promises. */
export type Remote<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => Promise<unknown> ? K : never]: T[K]
}

interface CallMessage {
  readonly id: number
  readonly method: string
  readonly args: unknown[]
}

interface ReplyMessage {
  readonly id: number
  readonly value?: unknown
  readonly error?: WireError
}

interface WireError {
  readonly code: string | undefined
  readonly message: string
  readonly stack: string | undefined
  readonly domain: ErrorDomain
  readonly reaction: Reaction
  readonly retrySafe: boolean
  readonly context: Readonly<Record<string, unknown>>
}

class Transferred {
  readonly value: unknown
  readonly list: readonly Transferable[]

  constructor(value: unknown, list: readonly Transferable[]) {
    this.value = value
    this.list = list
  }
}

/** Marks an argument or a result whose ArrayBuffers move to the other thread instead of being copied. */
export function transfer<T>(value: T, list: readonly Transferable[]): T {
  return new Transferred(value, list) as T
}

function unwrap(value: unknown, moved: Transferable[]): unknown {
  if (!(value instanceof Transferred)) return value
  moved.push(...value.list)
  return value.value
}

/** Serves `target` on `port` until the port closes. */
export function serve(port: MessagePort, target: object): void {
  port.on('message', (call: CallMessage) => {
    void answer(port, target as Record<string, (...args: unknown[]) => unknown>, call)
  })
}

async function answer(
  port: MessagePort,
  target: Record<string, (...args: unknown[]) => unknown>,
  call: CallMessage,
): Promise<void> {
  const moved: Transferable[] = []
  let reply: ReplyMessage
  try {
    const method = target[call.method]
    if (typeof method !== 'function') throw new Error(`no method ${call.method}`)
    reply = { id: call.id, value: unwrap(await method.apply(target, call.args), moved) }
  } catch (error) {
    reply = { id: call.id, error: toWire(error) }
  }
  port.postMessage(reply, moved)
}

/** A proxy that calls what is served at the other end. Calls fail with RPC_CLOSED once the port is closed. */
export function connect<T>(port: MessagePort): Remote<T> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
  let nextId = 0
  let closed = false
  port.on('message', (reply: ReplyMessage) => {
    const call = waiting.get(reply.id)
    if (call === undefined) return
    waiting.delete(reply.id)
    if (reply.error !== undefined) call.reject(fromWire(reply.error))
    else call.resolve(reply.value)
  })
  port.on('close', () => {
    closed = true
    for (const call of waiting.values()) call.reject(closedError())
    waiting.clear()
  })
  const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>()
  return new Proxy({} as Remote<T>, {
    get(_, name) {
      // A promise-like proxy would be called by `await`.
      if (typeof name !== 'string' || name === 'then') return undefined
      let method = methods.get(name)
      if (method === undefined) {
        method = (...args) =>
          new Promise((resolve, reject) => {
            if (closed) return reject(closedError())
            const id = nextId++
            const moved: Transferable[] = []
            waiting.set(id, { resolve, reject })
            const message: CallMessage = { id, method: name, args: args.map((arg) => unwrap(arg, moved)) }
            port.postMessage(message, moved)
          })
        methods.set(name, method)
      }
      return method
    },
  })
}

function closedError(): MillraceError {
  return new MillraceError('RPC_CLOSED', 'The thread that serves this call has ended.', {
    domain: 'internal',
    reaction: 'stop',
  })
}

function toWire(error: unknown): WireError {
  const known = isMillraceError(error) ? error : undefined
  return {
    code: known?.code,
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
    domain: known?.domain ?? 'internal',
    reaction: known?.reaction ?? 'stop',
    retrySafe: known?.retrySafe ?? false,
    context: known?.context ?? {},
  }
}

function fromWire(wire: WireError): Error {
  const error =
    wire.code === undefined ? new Error(wire.message) : new MillraceError(wire.code, wire.message, wire)
  if (wire.stack !== undefined) error.stack = wire.stack
  return error
}
