import { expect, test } from 'vitest'
import { TopologyBuilder, describeMermaid, int64, keyValueStore, output, setStore, utf8 } from './index.ts'
import type { Topology } from './index.ts'

const idle = { process: () => {} }
const serdes = { key: utf8, value: utf8 }

/** What one flowchart declares and connects. Throws for any line that is not of the part of the grammar we use. */
function parse(text: string): { shapes: Map<string, string>; boxes: Map<string, string>; edges: string[] } {
  const [first, ...lines] = text.split('\n')
  expect(first).toBe('flowchart TD')
  expect(lines.pop()).toBe('')
  const shapes = new Map<string, string>()
  const boxes = new Map<string, string>()
  const edges: string[] = []
  const titles: string[] = []
  let box: string | undefined
  const id = '[a-z]+_[A-Za-z0-9_]+'
  const quoted = '"(?:[^"#&<>`\\\\|[\\]\\r\\n]|#\\d+;|<br/>)+"'
  for (const line of lines) {
    const indent = box === undefined ? '  ' : '    '
    const shape = new RegExp(
      `^${indent}(${id})(\\[${quoted}\\]|\\(\\[${quoted}\\]\\)|\\[\\(${quoted}\\)\\])$`,
    ).exec(line)
    const opening = new RegExp(`^  subgraph (${id}) \\[${quoted}\\]$`).exec(line)
    const edge = new RegExp(`^  (${id}) (-->|---|-->\\|${quoted}\\|) (${id})$`).exec(line)
    if (shape !== null) {
      const [, name = '', form = ''] = shape
      expect(shapes.has(name)).toBe(false)
      shapes.set(name, form)
      if (box !== undefined) boxes.set(name, box)
    } else if (opening !== null && box === undefined) {
      box = opening[1]
      titles.push(box ?? '')
    } else if (line === '  end' && box !== undefined) {
      box = undefined
    } else if (edge !== null && box === undefined) {
      for (const end of [edge[1] ?? '', edge[3] ?? '']) expect([...shapes.keys()]).toContain(end)
      edges.push(line.trim())
    } else throw new Error(`not a line of a flowchart here: ${line}`)
  }
  expect(box).toBeUndefined()
  expect(new Set(titles).size).toBe(titles.length)
  return { shapes, boxes, edges }
}

function twoParts(): Topology {
  const builder = new TopologyBuilder()
  const counts = keyValueStore({ name: 'word-counts', key: utf8, value: int64 })
  const seen = setStore({ name: 'seen', key: utf8, member: utf8, value: int64 })
  const split = builder.processor({
    name: 'split',
    from: builder.source({ name: 'lines', topics: ['lines', 'more.lines'], ...serdes }),
    outputs: { word: output<string, string>(), bad: output<string, string>() },
    init: () => idle,
  })
  builder.sink({ name: 'end', from: split.bad, topic: 'bad', ...serdes })
  builder.processor({
    name: 'count',
    from: builder.repartition({ name: 'words', from: split.word, ...serdes }),
    stores: { counts, seen },
    wallClock: true,
    init: () => idle,
  })
  return builder.build()
}

test('draws topics, subtopologies, nodes, stores and what connects them', () => {
  const text = describeMermaid(twoParts())
  expect(text).toBe(`flowchart TD
  topic_bad(["bad"])
  topic_lines(["lines"])
  topic_more_2e_lines(["more.lines"])
  topic_words_2d_repartition(["words-repartition"])
  subgraph subtopology_0 ["Sub-topology: 0"]
    node_lines["lines"]
    node_split["split"]
    node_end["end"]
    node_words_2d_repartition_2d_sink["words-repartition-sink"]
  end
  subgraph subtopology_1 ["Sub-topology: 1"]
    node_words_2d_repartition_2d_source["words-repartition-source"]
    node_count["count<br/>wall clock"]
    store_seen[("seen")]
    store_word_2d_counts[("word-counts")]
  end
  topic_lines --> node_lines
  topic_more_2e_lines --> node_lines
  node_lines --> node_split
  node_split -->|"bad"| node_end
  node_split -->|"word"| node_words_2d_repartition_2d_sink
  node_end --> topic_bad
  node_words_2d_repartition_2d_sink --> topic_words_2d_repartition
  topic_words_2d_repartition --> node_words_2d_repartition_2d_source
  node_words_2d_repartition_2d_source --> node_count
  node_count --- store_seen
  node_count --- store_word_2d_counts
`)
  expect(parse(text).edges).toHaveLength(11)
})

test('keeps stores and nodes in their subtopology, topics outside', () => {
  const { boxes, shapes } = parse(describeMermaid(twoParts()))
  expect(boxes.get('store_seen')).toBe('subtopology_1')
  expect(boxes.get('node_end')).toBe('subtopology_0')
  expect([...shapes.keys()].filter((id) => !boxes.has(id)).every((id) => id.startsWith('topic_'))).toBe(true)
})

test('keeps names apart that differ in signs only, and one name that nodes, topics and stores share', () => {
  const builder = new TopologyBuilder()
  const same = keyValueStore({ name: 'a-b', key: utf8, value: utf8 })
  for (const name of ['a-b', 'a.b', 'a_b', 'a_2d_b']) {
    const from = builder.source({ name, topics: [name], ...serdes })
    builder.processor({ name: `${name}.p`, from, stores: { same }, init: () => idle })
  }
  const { shapes, edges } = parse(describeMermaid(builder.build()))
  expect(shapes.size).toBe(4 * 3 + 1)
  expect(new Set(edges).size).toBe(4 * 3)
})

test('escapes what labels cannot have', () => {
  const builder = new TopologyBuilder()
  const odd = 'x"] --> y|#amp;<b>\n'
  const from = builder.source({ name: 'in', topics: ['in'], ...serdes })
  const { [odd]: stream } = builder.processor({
    name: 'p',
    from,
    outputs: { [odd]: output<string, string>() },
    init: () => idle,
  })
  if (stream === undefined) throw new Error('the output is there')
  builder.sink({ name: 'sink', from: stream, topic: 'out', ...serdes })
  const text = describeMermaid(builder.build())
  expect(parse(text).edges).toContain('node_p -->|"x#34;#93; --#62; y#124;#35;amp;#60;b#62;#10;"| node_sink')
})

test('the check can fail', () => {
  const good = describeMermaid(twoParts())
  for (const bad of [
    good.replace('  end\n', ''),
    good.replace('(["bad"])', '(["bad")'),
    good.replace('node_count --- store_seen', 'node_count --- store_unknown'),
    good.replace('["lines"]', '["li"nes"]'),
  ]) {
    expect(bad).not.toBe(good)
    expect(() => parse(bad)).toThrow()
  }
})
