/** What a member is told beside its partitions: the user data of its assignment. */
import { ByteReader, ByteWriter, asBuffer } from '#core'

interface FleetMember {
  readonly idPrefix: string
  readonly endPoint: string
  /** Tasks that it runs, or takes over as soon as their owner has given them back. */
  readonly active: readonly string[]
}

export interface AssignmentData {
  readonly standby: readonly string[]
  readonly warmUp: readonly string[]
  /** Tasks are not yet where they should be: a round when states have been warmed up moves them. */
  readonly isProbing: boolean
  /** Everybody in this generation. */
  readonly members: readonly FleetMember[]
}

const version = 1

export function encodeAssignmentData(data: AssignmentData): Uint8Array {
  const out = new ByteWriter(1024)
  out.u8(version)
  out.u8(data.isProbing ? 1 : 0)
  writeTexts(out, data.standby)
  writeTexts(out, data.warmUp)
  out.uvarint(data.members.length)
  for (const { idPrefix, endPoint, active } of data.members) {
    out.text(idPrefix)
    out.text(endPoint)
    writeTexts(out, active)
  }
  return out.toBuffer()
}

/** Undefined when there is none, or none of this format. */
export function decodeAssignmentData(bytes: Uint8Array): AssignmentData | undefined {
  const from = new ByteReader(asBuffer(bytes))
  try {
    if (from.u8() !== version) return undefined
    const isProbing = from.u8() === 1
    const standby = readTexts(from)
    const warmUp = readTexts(from)
    const members: FleetMember[] = []
    for (let left = from.uvarint(); left > 0; left--)
      members.push({ idPrefix: from.text(), endPoint: from.text(), active: readTexts(from) })
    return { isProbing, standby, warmUp, members }
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function writeTexts(out: ByteWriter, texts: readonly string[]): void {
  out.uvarint(texts.length)
  for (const text of texts) out.text(text)
}

function readTexts(from: ByteReader): string[] {
  const texts: string[] = []
  for (let left = from.uvarint(); left > 0; left--) texts.push(from.text())
  return texts
}
