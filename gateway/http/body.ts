/** Request bodies: JSON of at most 16 KiB. */
import { HttpProblem, invalidRequest } from './problem.ts'

const bodyBytesMax = 16 * 1024

/** The client went away before all of its request was here: nobody is left to be answered. */
export class ClientGone extends Error {
  constructor(cause: unknown) {
    super('The client went away during its request.', { cause })
    this.name = 'ClientGone'
  }
}

/**
 * The parsed body. Errors: unsupported-media-type, payload-too-large, invalid-request; ClientGone.
 * A missing Content-Type counts as JSON; a charset other than UTF-8 does not.
 */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get('content-type')
  if (type !== null && type !== 'application/json' && !isJson(type)) throw unsupported()
  return parse(await readText(request))
}

/** For calls without a body: nothing, or an empty JSON object from clients that always send one. */
export async function readNothing(request: Request): Promise<void> {
  const text = await readText(request)
  if (text === '') return
  const type = request.headers.get('content-type')
  if (type !== null && !isJson(type)) throw unsupported()
  const value = parse(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const names = Object.keys(value)
    if (names.length === 0) return
    throw invalidRequest(names.map((name) => ({ path: name, detail: 'is not known here' })))
  }
  throw invalidRequest([{ path: '', detail: 'this call takes no body' }])
}

function isJson(type: string): boolean {
  return /^application\/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?;?\s*$/i.test(type)
}

function unsupported(): HttpProblem {
  return new HttpProblem('unsupported-media-type', {
    detail: 'Send the body as application/json in UTF-8.',
    headers: { accept: 'application/json' },
  })
}

function tooLarge(): HttpProblem {
  return new HttpProblem('payload-too-large', { detail: `A body has at most ${bodyBytesMax} bytes.` })
}

/** With a length that the server has checked the body is read in one go; without one it is counted as it comes. */
async function readText(request: Request): Promise<string> {
  try {
    const length = request.headers.get('content-length')
    if (length === null || request.headers.get('transfer-encoding') !== null) return await counted(request)
    if (Number(length) > bodyBytesMax) throw tooLarge()
    return await request.text()
  } catch (error) {
    throw isDisconnect(error, request) ? new ClientGone(error) : error
  }
}

/** As node:http, its streams and the Fetch standard tell it. */
function isDisconnect(error: unknown, request: Request): boolean {
  if (!(error instanceof Error) || error instanceof HttpProblem) return false
  const { code } = error as NodeJS.ErrnoException
  return (
    code === 'ECONNRESET' ||
    code === 'ERR_STREAM_PREMATURE_CLOSE' ||
    error.name === 'AbortError' ||
    request.signal.aborted
  )
}

async function counted(request: Request): Promise<string> {
  const body = request.body
  if (body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > bodyBytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidRequest([{ path: '', detail: 'the body is not JSON' }])
  }
}
