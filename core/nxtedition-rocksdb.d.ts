/** The part of @nxtedition/rocksdb that core/rocksdb.ts uses; the package ships no types. */
declare module '@nxtedition/rocksdb' {
  interface NativeIterator {
    _nextvSync(
      size: number,
      options: object,
    ): { readonly rows: readonly unknown[]; readonly finished: boolean }
    _closeSync(): void
  }
  export class RocksLevel {
    constructor(location: string, options: object)
    open(): Promise<void>
    close(): Promise<void>
    /** Of the open database, for `db_init`. */
    readonly handle: bigint
    iterator(options: object): NativeIterator
    /** Strikes it off the list of what is open. */
    detachResource(resource: NativeIterator): void
    clear(options: object): Promise<void>
    _clear(options: object, callback: (error?: Error | null) => void): void
    getProperty(property: string): string
    _getManySync(keys: readonly Uint8Array[], options: object): (Buffer | undefined)[]
  }
}

/** The functions beneath it, in C++. Options that are null cost nothing, others a look-up for each of their names. */
declare module '@nxtedition/rocksdb/binding.js' {
  interface NativeDatabase {
    readonly native: 'database'
  }
  export interface NativeBatch {
    readonly native: 'batch'
  }
  interface Binding {
    /** A further reference to an open database. It neither keeps it open nor closes it. */
    db_init(handle: bigint): NativeDatabase
    batch_init(): NativeBatch
    batch_put(batch: NativeBatch, key: Uint8Array, value: Uint8Array, options: null): void
    batch_del(batch: NativeBatch, key: Uint8Array, options: null): void
    batch_write(db: NativeDatabase, batch: NativeBatch, options: { readonly sync: boolean }): void
    /** Empties it; it keeps its memory. */
    batch_clear(batch: NativeBatch): void
  }
  const binding: Binding
  export default binding
}
