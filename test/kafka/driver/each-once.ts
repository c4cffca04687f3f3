import { expect } from 'vitest'
import type { Appended } from '#log'
import type { ReadValue } from './kafka-logs.ts'

/**
 * Each record was appended once, where its appender says, and in order within its partition.
 * @param appended by the number that is the record's value @param read all that the topic holds
 */
export function expectEachOnceInOrder(appended: readonly Appended[], read: readonly ReadValue[]): void {
  expect(read).toHaveLength(appended.length)
  const byPlace = new Map(read.map(({ partition, offset, value }) => [`${partition} ${offset}`, value]))
  const partitions = new Map<number, number[]>()
  for (const [number, { partition, offset }] of appended.entries()) {
    expect(byPlace.get(`${partition} ${offset}`)).toBe(`${number}`)
    partitions.set(partition, [])
  }
  for (const { partition, value } of read) partitions.get(partition)?.push(Number(value))
  for (const numbers of partitions.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
}
