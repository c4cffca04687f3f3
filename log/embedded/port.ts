/** The broker's interface over a MessagePort: batches travel in one exact ArrayBuffer a message, moved, not copied. */
import type { MessagePort } from 'node:worker_threads'
import { asBuffer, connect, serve, transfer } from '#core'
import type {
  AppendRequest,
  BrokerApi,
  FetchRequest,
  FetchedPartition,
  PrepareRequest,
} from './broker-api.ts'
import type { EmbeddedBroker } from './broker.ts'
import { splitBatches } from './record-batches.ts'

/** A fetched partition without its batches: they lie in `data`, one after the other. */
interface WirePartition extends Omit<FetchedPartition, 'batches'> {
  readonly batchCount: number
  readonly byteLength: number
}

interface WireFetchReply {
  readonly partitions: readonly WirePartition[]
  readonly data: Uint8Array
}

type WireApi = Omit<BrokerApi, 'fetch'> & { fetch(request: FetchRequest): Promise<WireFetchReply> }

/** Serves one client in another thread. The client's session ends when the port closes. */
export function serveEmbeddedBroker(broker: EmbeddedBroker, port: MessagePort): void {
  const session = broker.session()
  const served: WireApi = {
    clusterId: () => session.clusterId(),
    append: (request) => session.append(request),
    fetch: async (request) => flatten((await session.fetch(request)).partitions),
    wakeFetch: (fetcher) => session.wakeFetch(fetcher),
    beginTransactor: (id, timeoutMs) => session.beginTransactor(id, timeoutMs),
    prepare: (request) => session.prepare(request),
    commit: (id, epoch) => session.commit(id, epoch),
    abort: (id, epoch) => session.abort(id, epoch),
    endTransactor: (id, epoch) => session.endTransactor(id, epoch),
    ensureTopics: (topics) => session.ensureTopics(topics),
    describeTopics: (names) => session.describeTopics(names),
    deleteTopics: (names) => session.deleteTopics(names),
    offsets: (partitions) => session.offsets(partitions),
    deleteRecords: (before) => session.deleteRecords(before),
    committedOffsets: (group, partitions, stable) => session.committedOffsets(group, partitions, stable),
    removeMember: (group, instanceId) => session.removeMember(group, instanceId),
    deleteGroup: (group) => session.deleteGroup(group),
    joinGroup: (request) => session.joinGroup(request),
    groupEvent: (memberId, reply) => session.groupEvent(memberId, reply),
    leaveGroup: (memberId) => session.leaveGroup(memberId),
    rebalanceGroup: (memberId) => session.rebalanceGroup(memberId),
    isMember: (memberId) => session.isMember(memberId),
    close: () => session.close(),
  }
  serve(port, served)
  port.on('close', () => void session.close())
}

/** The client's side of `serveEmbeddedBroker`. */
export function connectBroker(port: MessagePort): BrokerApi {
  const remote = connect<WireApi>(port)
  return {
    clusterId: () => remote.clusterId(),
    append: (request) => remote.append(moved(request)),
    fetch: async (request) => ({ partitions: unflatten(await remote.fetch(request)) }),
    wakeFetch: (fetcher) => remote.wakeFetch(fetcher),
    beginTransactor: (id, timeoutMs) => remote.beginTransactor(id, timeoutMs),
    prepare: (request) => remote.prepare(moved(request)),
    commit: (id, epoch) => remote.commit(id, epoch),
    abort: (id, epoch) => remote.abort(id, epoch),
    endTransactor: (id, epoch) => remote.endTransactor(id, epoch),
    ensureTopics: (topics) => remote.ensureTopics(topics),
    describeTopics: (names) => remote.describeTopics(names),
    deleteTopics: (names) => remote.deleteTopics(names),
    offsets: (partitions) => remote.offsets(partitions),
    deleteRecords: (before) => remote.deleteRecords(before),
    committedOffsets: (group, partitions, stable) => remote.committedOffsets(group, partitions, stable),
    removeMember: (group, instanceId) => remote.removeMember(group, instanceId),
    deleteGroup: (group) => remote.deleteGroup(group),
    joinGroup: (request) => remote.joinGroup(request),
    groupEvent: (memberId, reply) => remote.groupEvent(memberId, reply),
    leaveGroup: (memberId) => remote.leaveGroup(memberId),
    rebalanceGroup: (memberId) => remote.rebalanceGroup(memberId),
    isMember: (memberId) => remote.isMember(memberId),
    close: async () => {
      await remote.close()
      port.close()
    },
  }
}

function moved<T extends AppendRequest | PrepareRequest>(request: T): T {
  return transfer(request, [request.data.buffer as ArrayBuffer])
}

function flatten(partitions: readonly FetchedPartition[]): WireFetchReply {
  let size = 0
  const heads: WirePartition[] = []
  for (const { batches, ...head } of partitions) {
    const byteLength = batches.reduce((sum, batch) => sum + batch.length, 0)
    heads.push({ ...head, batchCount: batches.length, byteLength })
    size += byteLength
  }
  const data = new Uint8Array(new ArrayBuffer(size))
  let at = 0
  for (const { batches } of partitions) {
    for (const batch of batches) {
      data.set(batch, at)
      at += batch.length
    }
  }
  return transfer({ partitions: heads, data }, [data.buffer])
}

function unflatten({ partitions, data }: WireFetchReply): FetchedPartition[] {
  const buffer = asBuffer(data)
  let at = 0
  return partitions.map(({ batchCount, byteLength, ...head }) => {
    const batches = splitBatches(buffer.subarray(at, at + byteLength), batchCount)
    at += byteLength
    return { ...head, batches }
  })
}
