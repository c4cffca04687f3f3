/**
 * What a member is told beside its partitions: the user data of its assignment.
 *
 * Everybody is told of everybody, and a broker keeps all of it in one record, which the default bounds to 1 MiB. So who
 * is there is compressed, once for all of them.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
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

const version = 2
/** Of what is there when it is not compressed: more than any group has. */
const fleetBytesMax = 64 << 20

/** The part that is the same for everybody. */
export function encodeFleet(members: AssignmentData['members']): Uint8Array {
  const out = new ByteWriter(1024)
  out.uvarint(members.length)
  for (const { idPrefix, endPoint, active } of members) {
    out.text(idPrefix)
    out.text(endPoint)
    writeTexts(out, active)
  }
  return deflateRawSync(out.view())
}

/** @param fleet as `encodeFleet` has it */
export function encodeAssignmentData(data: Omit<AssignmentData, 'members'>, fleet: Uint8Array): Uint8Array {
  const out = new ByteWriter(1024)
  out.u8(version)
  out.u8(data.isProbing ? 1 : 0)
  writeTexts(out, data.standby)
  writeTexts(out, data.warmUp)
  out.bytes(fleet)
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
    const members = decodeFleet(from.view(from.remaining))
    return { isProbing, standby, warmUp, members }
  } catch (error) {
    if (error instanceof RangeError || isZlibError(error)) return undefined
    throw error
  }
}

function decodeFleet(fleet: Uint8Array): FleetMember[] {
  const from = new ByteReader(inflateRawSync(fleet, { maxOutputLength: fleetBytesMax }))
  const members: FleetMember[] = []
  for (let left = from.uvarint(); left > 0; left--)
    members.push({ idPrefix: from.text(), endPoint: from.text(), active: readTexts(from) })
  return members
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
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
