/** What a member tells the assignor: the user data of its subscription. */
import { ByteReader, ByteWriter, asBuffer } from '#core'

interface HeldTask {
  readonly id: string
  /** `active`: runs it. `following`: standby, or being warmed up. `stored`: its state lies on disk, and nobody is at it. */
  readonly role: 'active' | 'following' | 'stored'
  /** Records of its changelogs that the state has, over all of them. */
  readonly position: number
  /** Records that were missing when it last looked, a moment ago; of followed tasks, where it can tell. */
  readonly lag?: number | undefined
}

export interface MemberData {
  /** Of the state directory. */
  readonly processId: string
  /** Begins its transactional ids. */
  readonly idPrefix: string
  /** Stream threads it stands for. */
  readonly capacity: number
  /** Where its state can be asked for; empty: nowhere. */
  readonly endPoint: string
  /** Members with another one run another version of the program. */
  readonly topologyHash: string
  readonly tasks: readonly HeldTask[]
}

const version = 1
const roles = ['active', 'following', 'stored'] as const

export function encodeMemberData(data: MemberData): Uint8Array {
  const out = new ByteWriter(256)
  out.u8(version)
  out.text(data.processId)
  out.text(data.idPrefix)
  out.uvarint(data.capacity)
  out.text(data.endPoint)
  out.text(data.topologyHash)
  out.uvarint(data.tasks.length)
  for (const { id, role, position } of data.tasks) {
    out.text(id)
    out.u8(roles.indexOf(role))
    out.uvarint(position)
  }
  // Versions that do not know of it stop reading before: behind the tasks, each by its place among them.
  const lags = data.tasks.flatMap(({ lag }, at) => (lag === undefined ? [] : [[at, lag] as const]))
  out.uvarint(lags.length)
  for (const [at, lag] of lags) {
    out.uvarint(at)
    out.uvarint(lag)
  }
  return out.toBuffer()
}

/** Undefined for what another program, or a version of ours with another format, has written. */
export function decodeMemberData(bytes: Uint8Array): MemberData | undefined {
  const from = new ByteReader(asBuffer(bytes))
  try {
    if (from.u8() !== version) return undefined
    const head = {
      processId: from.text(),
      idPrefix: from.text(),
      capacity: from.uvarint(),
      endPoint: from.text(),
      topologyHash: from.text(),
    }
    const tasks: HeldTask[] = []
    for (let left = from.uvarint(); left > 0; left--) {
      const id = from.text()
      const role = roles[from.u8()]
      if (role === undefined) return undefined
      tasks.push({ id, role, position: from.uvarint() })
    }
    const lags = from.remaining === 0 ? new Map<number, number>() : readLags(from)
    return {
      ...head,
      tasks: tasks.map(({ id, role, position }, at) => ({ id, role, position, lag: lags.get(at) })),
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function readLags(from: ByteReader): Map<number, number> {
  const lags = new Map<number, number>()
  for (let left = from.uvarint(); left > 0; left--) lags.set(from.uvarint(), from.uvarint())
  return lags
}
