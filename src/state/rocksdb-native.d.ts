/** The part of rocksdb-native 3.18 that `rocksdb-database.ts` uses; the package has no types of its own. */
declare module 'rocksdb-native' {
  interface ReadBatch {
    get(key: Buffer): Promise<Buffer | null>
    flush(): Promise<void>
  }

  interface WriteBatch {
    tryPut(key: Buffer, value: Buffer): void
    tryDelete(key: Buffer): void
    flush(): Promise<void>
  }

  interface Range {
    gt?: Buffer
    gte?: Buffer
    lt?: Buffer
    limit?: number
    capacity?: number
  }

  interface Options {
    createIfMissing?: boolean
    maxBackgroundJobs?: number
    writeBufferSize?: number
    maxWriteBufferNumber?: number
    blockCache?: boolean
    tableCacheIndexAndFilterBlocks?: boolean
  }

  class RocksDB {
    constructor(path: string, options?: Options)
    ready(): Promise<void>
    read(options: { capacity: number; autoDestroy: boolean }): ReadBatch
    write(options: { capacity: number; autoDestroy: boolean }): WriteBatch
    iterator(range: Range): AsyncIterable<{ readonly key: Buffer; readonly value: Buffer }>
    flush(): Promise<void>
    getProperty(name: string): Promise<string | undefined>
    close(): Promise<void>
  }

  export = RocksDB
}
