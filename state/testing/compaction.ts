import { RecordCursor, filterBatch } from '#log'

/**
 * What some compaction leaves of a changelog: the last record of every key stays; which of the older ones are gone is
 * up to `chance`. A tombstone may go only once everything older of its key is gone.
 * @param chance true with a probability of the caller's choice
 */
export function compacted(
  changelog: readonly Buffer[],
  chance: () => boolean,
  options: { readonly tombstonesGo: boolean },
): Buffer[] {
  const offsets = new Map<string, { offset: number; tombstone: boolean }[]>()
  for (const cursor = new RecordCursor(changelog); cursor.next();) {
    const key = cursor.key()?.toString('latin1') ?? ''
    const records = offsets.get(key) ?? []
    records.push({ offset: cursor.offset, tombstone: cursor.value() === null })
    offsets.set(key, records)
  }
  const gone = new Set<number>()
  for (const records of offsets.values()) {
    const older = records.slice(0, -1)
    for (const { offset } of older) if (chance()) gone.add(offset)
    const last = records.at(-1)
    if (last?.tombstone === true && options.tombstonesGo && older.every(({ offset }) => gone.has(offset))) {
      if (chance()) gone.add(last.offset)
    }
  }
  return changelog
    .map((batch) => filterBatch(batch, ({ offset }) => !gone.has(offset)))
    .filter((batch) => batch !== undefined)
}
