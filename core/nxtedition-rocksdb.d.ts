/** The part of @nxtedition/rocksdb that core/rocksdb.ts uses; the package ships no types. */
declare module '@nxtedition/rocksdb' {
  /** What a database lists as open. */
  export interface NativeResource {
    _closeSync(): void
  }
  interface NativeBatch extends NativeResource {
    _put(key: Uint8Array, value: Uint8Array): void
    _del(key: Uint8Array): void
    _writeSync(options: { readonly sync: boolean }): void
  }
  interface NativeIterator extends NativeResource {
    _nextvSync(
      size: number,
      options: object,
    ): { readonly rows: readonly unknown[]; readonly finished: boolean }
  }
  export class RocksLevel {
    constructor(location: string, options: object)
    open(): Promise<void>
    close(): Promise<void>
    batch(): NativeBatch
    iterator(options: object): NativeIterator
    detachResource(resource: NativeResource): void
    clear(options: object): Promise<void>
    _clear(options: object, callback: (error?: Error | null) => void): void
    getProperty(property: string): string
    _getManySync(keys: readonly Uint8Array[], options: object): (Buffer | undefined)[]
  }
}
