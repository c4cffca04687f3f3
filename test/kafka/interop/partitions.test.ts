/** Records with a key go where Java's producer puts them: whoever else writes commands keeps a coupon in one line. */
import { expect, it } from 'vitest'
import { SeededRandom } from '#core'
import { partitionOf } from '#log'
import { kafka, kafkaTools } from '../../servers/kafka/index.ts'
import { connect, makeTopic, readValues } from '../driver/kafka-logs.ts'

const keyCount = 10_000
/** Prime, so that no part of the hash is left out. */
const partitions = 31
/** ASCII, Latin, Hangul, emoji: one, two, three and four bytes a character. No tabs and line ends: the tool's own. */
const ranges: readonly (readonly [from: number, to: number])[] = [
  [0x21, 0x7e],
  [0xc0, 0x24f],
  [0xac00, 0xd7a3],
  [0x1f300, 0x1f64f],
]

function* keys(): Generator<string> {
  const random = new SeededRandom(21)
  for (let at = 0; at < keyCount; at++) {
    // Half of them of one range, half of all mixed; 1 to 40 characters, so every length of the hash's tail comes.
    const own = at % 2 === 0 ? [random.pick(ranges)] : ranges
    const characters = Array.from({ length: random.integer(1, 41) }, () => {
      const [from, to] = random.pick(own)
      return String.fromCodePoint(random.integer(from, to + 1))
    })
    yield characters.join('')
  }
}

it(`chooses the partition of ${keyCount} keys as Java's producer does`, async () => {
  const { brokers, prefix } = kafka()
  const log = await connect(brokers)
  const topic = await makeTopic(log, `${prefix}keys`, partitions)
  const written = [...keys()]
  await kafkaTools(brokers).produce(
    topic,
    written.map((key, at) => ({ key, value: String(at) })),
  )
  const read = await readValues(log, topic, partitions)
  expect(read).toHaveLength(keyCount)
  const differing = read.flatMap(({ partition, value }) => {
    const key = written[Number(value)] ?? ''
    const ours = partitionOf(key, partitions)
    return ours === partition ? [] : [{ key, java: partition, ours }]
  })
  expect(differing).toEqual([])
  expect(new Set(read.map(({ partition }) => partition)).size).toBe(partitions)
})
