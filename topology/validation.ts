/** Checks what the type system cannot: names, handles, and what would misbehave only at run time. */
import { MillraceError } from '#core'
import type { Draft, SinkDraft, SourceDraft } from './draft.ts'
import { isNodeName } from './node-name.ts'
import { isStoreName } from './store.ts'
import type { StoreSpec } from './store.ts'
import { groupsOf } from './subtopologies.ts'

/** One thing to put right before a topology can be built. */
export interface TopologyProblem {
  /** Stable, begins with TOPOLOGY_. */
  readonly code: string
  readonly message: string
}

/** @throws MillraceError TOPOLOGY_INVALID with all problems, one a line; `context.problems` lists them */
export function checkDrafts(drafts: readonly Draft[]): void {
  const problems = [
    ...nodeNameProblems(drafts),
    ...connectionProblems(drafts),
    ...sourceProblems(drafts.filter((draft) => draft.kind === 'source')),
    ...storeProblems(drafts),
    ...topicProblems(drafts),
  ]
  if (problems.length === 0) return
  const lines = problems.map(({ code, message }) => `  ${code}: ${message}`)
  throw new MillraceError('TOPOLOGY_INVALID', `The topology cannot be built:\n${lines.join('\n')}`, {
    domain: 'user',
    reaction: 'stop',
    context: { problems },
  })
}

/** What Kafka allows in topic names. */
const topicNamePattern = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/

function* nodeNameProblems(drafts: readonly Draft[]): Generator<TopologyProblem> {
  for (const { kind, name } of drafts) {
    if (!isNodeName(name)) {
      const message = `"${name}" cannot name a ${kind}: use 1 to 100 of A-Z a-z 0-9 . _ - and begin with a letter or digit.`
      yield { code: 'TOPOLOGY_INVALID_NAME', message }
    } else if (name === 'none') {
      const message = `"none" cannot name a ${kind}: descriptions say it where nothing is connected. Choose another.`
      yield { code: 'TOPOLOGY_RESERVED_NAME', message }
    }
  }
  for (const name of repeated(drafts.map((draft) => draft.name))) {
    yield {
      code: 'TOPOLOGY_DUPLICATE_NAME',
      message: `More than one node is named "${name}". Name each once.`,
    }
  }
}

function* connectionProblems(drafts: readonly Draft[]): Generator<TopologyProblem> {
  const fed = new Set<string>()
  const slot = (draft: Draft, output: string | undefined): string =>
    `${drafts.indexOf(draft)} ${output ?? ''}`
  for (const draft of drafts) {
    const { kind, name, from } = draft
    if (kind !== 'source' && from.length === 0) {
      const message = `The ${kind} "${name}" takes from nothing. Pass at least one stream as "from".`
      yield { code: 'TOPOLOGY_NO_INPUT', message }
    }
    if (from.includes(undefined)) {
      const message = `The ${kind} "${name}" takes from a stream that this builder did not return. Pass the very object that source() or processor() returned.`
      yield { code: 'TOPOLOGY_FOREIGN_STREAM', message }
    }
    const slots = from.flatMap((edge) => (edge ? [slot(edge.draft, edge.output)] : []))
    if (repeated(slots).length > 0) {
      const message = `The ${kind} "${name}" takes from the same stream twice. List it once.`
      yield { code: 'TOPOLOGY_DUPLICATE_INPUT', message }
    }
    for (const taken of slots) fed.add(taken)
  }
  for (const draft of drafts) {
    if (draft.kind === 'source' && !fed.has(slot(draft, undefined))) {
      const message = `Nothing takes from the source "${draft.name}". Attach a processor or sink, or remove it.`
      yield { code: 'TOPOLOGY_UNCONNECTED', message }
    }
    if (draft.kind !== 'processor') continue
    for (const output of draft.outputs) {
      if (fed.has(slot(draft, output))) continue
      const message = `Nothing takes from the output "${output}" of "${draft.name}". Attach a processor or sink, or remove it.`
      yield { code: 'TOPOLOGY_UNCONNECTED', message }
    }
  }
}

function* sourceProblems(sources: readonly SourceDraft[]): Generator<TopologyProblem> {
  if (sources.length === 0) {
    yield { code: 'TOPOLOGY_NO_SOURCE', message: 'There is no source. Begin with builder.source(…).' }
  }
  const readers = new Map<string, SourceDraft>()
  for (const source of sources) {
    if (source.topics.length === 0) {
      const message = `The source "${source.name}" has no topics. Name at least one.`
      yield { code: 'TOPOLOGY_NO_TOPIC', message }
    }
    for (const topic of repeated(source.topics)) {
      const message = `The source "${source.name}" lists topic "${topic}" more than once. List it once.`
      yield { code: 'TOPOLOGY_DUPLICATE_TOPIC', message }
    }
    for (const topic of new Set(source.topics)) {
      const first = readers.get(topic) ?? source
      readers.set(topic, first)
      if (first.key === source.key && first.value === source.value) continue
      const message = `The sources "${first.name}" and "${source.name}" read topic "${topic}" by different serdes. Use the same serde objects, or one source.`
      yield { code: 'TOPOLOGY_SERDE_CONFLICT', message }
    }
  }
}

function* storeProblems(drafts: readonly Draft[]): Generator<TopologyProblem> {
  const specs = new Map<string, Set<StoreSpec>>()
  for (const store of storesOf(drafts)) specs.set(store.name, (specs.get(store.name) ?? new Set()).add(store))
  for (const [name, same] of specs) {
    if (!isStoreName(name)) {
      const message = `"${name}" cannot name a store: use 1 to 100 of a-z 0-9 . _ - and begin with a letter or digit.`
      yield { code: 'TOPOLOGY_INVALID_NAME', message }
    }
    if (same.size > 1) {
      const message = `${same.size} different stores are named "${name}". Rename one, or share one specification object.`
      yield { code: 'TOPOLOGY_STORE_CONFLICT', message }
    }
    if ([...same].some(({ value }) => value.nullable === true)) {
      const message = `The store "${name}" has a nullable value serde, but null means deleted on its changelog. Use delete, or wrap the value.`
      yield { code: 'TOPOLOGY_NULLABLE_STORE', message }
    }
  }
}

function* topicProblems(drafts: readonly Draft[]): Generator<TopologyProblem> {
  const sources = drafts.filter((draft) => draft.kind === 'source')
  const sinks = drafts.filter((draft) => draft.kind === 'sink')
  const stores = storesOf(drafts)
  for (const topic of new Set([
    ...sources.flatMap(({ topics }) => topics),
    ...sinks.map((sink) => sink.topic),
  ])) {
    if (!topicNamePattern.test(topic)) {
      const message = `"${topic}" cannot name a topic: use 1 to 249 of A-Z a-z 0-9 . _ -, and not "." or "..".`
      yield { code: 'TOPOLOGY_INVALID_NAME', message }
    }
  }
  yield* repartitionProblems(sources, sinks)
  for (const sink of sinks) {
    const owner = engineUseOf(sink, sources, stores)
    if (owner === undefined) continue
    const message = `The sink "${sink.name}" writes to "${sink.topic}", which is ${owner}. Choose another topic.`
    yield { code: 'TOPOLOGY_RESERVED_NAME', message }
  }
  for (const group of groupsOf(drafts)) {
    const read = new Set(group.flatMap((draft) => (draft.kind === 'source' ? draft.topics : [])))
    for (const draft of group) {
      if (draft.kind !== 'sink' || !read.has(draft.topic)) continue
      if (draft.repartition !== undefined) {
        const message = `What comes after "${draft.topic}" is joined to what comes before it, by a shared store or by a stream around it, so it does not lead into another subtopology. Take that connection away.`
        yield { code: 'TOPOLOGY_TOPIC_LOOP', message }
        continue
      }
      const message = `The sink "${draft.name}" writes to "${draft.topic}", which the same subtopology reads: its records would go round for ever. Choose another topic.`
      yield { code: 'TOPOLOGY_TOPIC_LOOP', message }
    }
  }
}

function* repartitionProblems(
  sources: readonly SourceDraft[],
  sinks: readonly SinkDraft[],
): Generator<TopologyProblem> {
  for (const { repartition } of sources) {
    if (repartition === undefined) continue
    const { topic, partitions } = repartition
    if (partitions !== undefined && !(Number.isSafeInteger(partitions) && partitions > 0)) {
      const message = `"${topic}" cannot have ${partitions} partitions. Take a whole number from 1 on, or leave it out.`
      yield { code: 'TOPOLOGY_INVALID_PARTITIONS', message }
    }
    const others = [
      ...sources.map((source) => ({ ...source, uses: source.topics })),
      ...sinks.map((sink) => ({ ...sink, uses: [sink.topic] })),
    ].filter((node) => node.repartition === undefined)
    for (const { kind, name, uses } of others) {
      for (const used of uses) {
        if (used !== topic && !used.endsWith(`-${topic}`)) continue
        const message = `The ${kind} "${name}" uses "${used}", which is a name for the repartition topic "${topic}". Choose another topic.`
        yield { code: 'TOPOLOGY_RESERVED_NAME', message }
      }
    }
  }
}

/** What the engine itself writes to a topic; undefined when the topic is free. */
function engineUseOf(
  { topic }: SinkDraft,
  sources: readonly SourceDraft[],
  stores: readonly StoreSpec[],
): string | undefined {
  if (topic.startsWith('__')) return "one of Kafka's own"
  const store = stores.find(({ name }) => topic.endsWith(`-${name}-changelog`))
  if (store !== undefined) return `a name for the changelog of the store "${store.name}"`
  const source = sources.find(({ topics }) => topics.some((read) => topic === `${read}.dlq`))
  return source === undefined ? undefined : `the dead-letter topic of the source "${source.name}"`
}

function storesOf(drafts: readonly Draft[]): StoreSpec[] {
  return drafts.flatMap((draft) => (draft.kind === 'processor' ? Object.values(draft.stores) : []))
}

/** Each name that occurs more than once. */
function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))]
}
