/** Disks for tests of the state room: opening RocksDB takes milliseconds, which is too much for each of many states. */
import type { StateBackend, StateRange } from '../backend.ts'
import { MemoryBackend } from '../memory-backend.ts'
import type { StateStorage } from '../storage.ts'

/** Directories in memory; they stay when they are closed. */
export function memoryDisk(): StateStorage {
  const directories = new Map<string, MemoryBackend>()
  return {
    async open(directory) {
      const backend = directories.get(directory) ?? new MemoryBackend()
      directories.set(directory, backend)
      return within(backend, Buffer.alloc(0))
    },
    async wipe(directory) {
      directories.delete(directory)
    },
  }
}

/** Of all directories of this process: several shared disks may lie in one database. */
let prefixes = 0

/** Many directories in one database: each is a prefix of its keys. */
export function sharedDisk(backend: StateBackend): StateStorage {
  const known = new Map<string, Buffer>()
  const prefixOf = (directory: string): Buffer => {
    const prefix = known.get(directory) ?? Buffer.alloc(4)
    if (!known.has(directory)) prefix.writeUInt32BE(++prefixes)
    known.set(directory, prefix)
    return prefix
  }
  return {
    open: async (directory) => within(backend, prefixOf(directory)),
    async wipe(directory) {
      const prefix = prefixOf(directory)
      backend.deleteRange({ gte: prefix, lt: Buffer.concat([prefix, Buffer.alloc(1024, 0xff)]) })
    },
  }
}

function within(backend: StateBackend, prefix: Buffer): StateBackend {
  const under = (key: Uint8Array): Buffer => Buffer.concat([prefix, key])
  const rangeUnder = ({ gte, lt }: StateRange): StateRange => ({ gte: under(gte), lt: under(lt) })
  return {
    getMany: (keys) => backend.getMany(keys.map(under)),
    write: (fill) =>
      backend.write((batch) =>
        fill({
          put: (key, value) => batch.put(under(key), value),
          delete: (key) => batch.delete(under(key)),
        }),
      ),
    deleteRange: (range) => backend.deleteRange(rangeUnder(range)),
    *scan(range) {
      for (const [key, value] of backend.scan(rangeUnder(range))) {
        yield [key.subarray(prefix.length), value] as const
      }
    },
    close: async () => {},
  }
}
