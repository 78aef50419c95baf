import { existsSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { StreamsError } from '../errors.ts'
import { type KeyRange, RocksdbDatabase, type RocksdbOptions } from './rocksdb-database.ts'
import { rocksdbError } from './rocksdb-error.ts'
import { checkKey, entryMark, rowOfKey } from './store-key.ts'
import {
  type ChangelogPosition,
  scanBytesMax,
  type StoreBackend,
  type StoreWrite,
} from './store.ts'

const positionRow = Buffer.from('\0position')
const firstEntryRow = Buffer.from(entryMark)
const afterEntriesRow = successorOf(firstEntryRow)

export interface RocksdbStoreOptions extends RocksdbOptions {
  /** Called once, when its files are nobody's again. */
  readonly afterClose?: () => Promise<void>
}

const done = (): Promise<void> => Promise.resolve()

/** Entries and changelog position in one RocksDB: they agree whenever the process dies, because one atomic batch writes both. */
export class RocksdbStoreBackend implements StoreBackend {
  readonly #database: RocksdbDatabase
  readonly #afterClose: () => Promise<void>
  #closed: Promise<void> | undefined

  private constructor(database: RocksdbDatabase, afterClose: () => Promise<void>) {
    this.#database = database
    this.#afterClose = afterClose
  }

  /** Makes the directory. Throws STORE_CORRUPTED for what is there but is not a whole store. */
  static async open(
    path: string,
    { afterClose = done, ...options }: RocksdbStoreOptions = {},
  ): Promise<RocksdbStoreBackend> {
    await prepareFiles(path)
    const database = await RocksdbDatabase.open(path, options)
    try {
      await checkRows(database)
    } catch (error) {
      await database.close()
      throw error
    }
    return new RocksdbStoreBackend(database, afterClose)
  }

  async getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    const values = await this.#database.getMany(keys.map(rowOf))
    return values.map(value => value ?? undefined)
  }

  async apply(writes: readonly StoreWrite[], position: ChangelogPosition): Promise<void> {
    const rows: Buffer[] = []
    const values: (Buffer | null)[] = []
    for (let index = 0; index < writes.length; index += 1) {
      const { key, value, row = rowOf(key) } = writes[index]!
      rows.push(row)
      values.push(value)
    }
    rows.push(positionRow)
    values.push(encodePosition(position))
    await this.#database.write(rows, values)
  }

  async position(): Promise<ChangelogPosition | undefined> {
    const [bytes] = await this.#database.getMany([positionRow])
    return bytes ? decodePosition(bytes, this.#database.path) : undefined
  }

  async scan(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Buffer])[]> {
    const entries = await this.#database.scan(rangeOf(prefix, afterKey), limit, scanBytesMax)
    return entries.map(([row, value]) => [row.toString('utf8', 1), value])
  }

  approximateBytes(): Promise<number> {
    return this.#database.approximateBytes()
  }

  /** True from the first call of `close` on. */
  get closed(): boolean {
    return this.#database.closed
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    try {
      await this.#database.close()
    } finally {
      await this.#afterClose()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * RocksDB takes a directory without its CURRENT file for a new database and begins an empty one in silence: what was half
 * deleted, or never quite made, is corrupted instead. It also keeps a thousand old logs of its own; nobody reads them.
 */
async function prepareFiles(path: string): Promise<void> {
  const names = await mkdir(path, { recursive: true })
    .then(() => readdir(path))
    .catch((error: unknown) => {
      throw rocksdbError(error, `open ${path}`)
    })
  if (names.length > 0 && !existsSync(join(path, 'CURRENT')))
    throw new StreamsError('STORE_CORRUPTED', `${path} has files but no CURRENT: it is not whole`)
  const oldLogs = names.filter(name => name.startsWith('LOG.old.'))
  await Promise.all(oldLogs.map(name => rm(join(path, name), { force: true })))
}

/** Entries without a position could not be told from what a restore would write, so a deleted key might come back. */
async function checkRows(database: RocksdbDatabase): Promise<void> {
  const [position] = await database.getMany([positionRow])
  if (position) {
    decodePosition(position, database.path)
    return
  }
  const entries = await database.scan(rangeOf('', ''), 1)
  if (entries.length > 0)
    throw new StreamsError('STORE_CORRUPTED', `${database.path} has entries but no position`)
}

function rowOf(key: string): Buffer {
  checkKey(key)
  return rowOfKey(key)
}

function rangeOf(prefix: string, afterKey: string): KeyRange {
  const first = prefix === '' ? firstEntryRow : rowOf(prefix)
  const lt = prefix === '' ? afterEntriesRow : successorOf(first)
  if (afterKey === '') return { gte: first, lt }
  const after = rowOf(afterKey)
  return Buffer.compare(after, first) >= 0 ? { gt: after, lt } : { gte: first, lt }
}

/** The first row behind all that begin with this one. UTF-8 has no byte 255, so the last byte can always grow. */
function successorOf(row: Buffer): Buffer {
  const successor = Buffer.from(row)
  successor[successor.length - 1] = (successor.at(-1) ?? 0) + 1
  return successor
}

function encodePosition({ topicId, offset, atMs }: ChangelogPosition): Buffer {
  return Buffer.from(JSON.stringify({ topicId, offset, atMs }))
}

function decodePosition(bytes: Buffer, path: string): ChangelogPosition {
  try {
    const { topicId, offset, atMs } = JSON.parse(
      bytes.toString('utf8'),
    ) as Partial<ChangelogPosition>
    if (typeof topicId === 'string' && Number.isSafeInteger(offset) && offset !== undefined)
      return atMs === undefined ? { topicId, offset } : { topicId, offset, atMs }
  } catch (cause) {
    throw new StreamsError('STORE_CORRUPTED', `${path} has an unreadable position`, { cause })
  }
  throw new StreamsError('STORE_CORRUPTED', `${path} has an unreadable position`)
}
