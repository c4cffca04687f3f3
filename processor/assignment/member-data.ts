/** What a member tells the assignor: the user data of its subscription. */
import { ByteReader, ByteWriter, asBuffer } from '#core'

interface HeldTask {
  readonly id: string
  /** `active`: runs it. `following`: standby, or being warmed up. `stored`: its state lies on disk, and nobody is at it. */
  readonly role: 'active' | 'following' | 'stored'
  /** Records of its changelogs that the state has, over all of them. */
  readonly position: number
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
    return { ...head, tasks }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
