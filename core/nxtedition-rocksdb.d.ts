/** The part of @nxtedition/rocksdb that core/rocksdb.ts uses; the package ships no types. */
declare module '@nxtedition/rocksdb' {
  interface NativeBatch {
    _put(key: Uint8Array, value: Uint8Array): void
    _del(key: Uint8Array): void
    _writeSync(options: { readonly sync: boolean }): void
    _closeSync(): void
  }
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
    batch(): NativeBatch
    iterator(options: object): NativeIterator
    clear(options: object): Promise<void>
    _clear(options: object, callback: (error?: Error | null) => void): void
    getProperty(property: string): string
    _getManySync(keys: readonly Uint8Array[], options: object): (Buffer | undefined)[]
  }
}
