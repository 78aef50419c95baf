import { readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'

/** Of each RocksDB. What is younger stays for whoever asks why a store broke. */
const keptBytes = 256 * 1024
/** Writes between two looks. */
const writesBetween = 256
const blockBytes = 512

/**
 * RocksDB's `LOG` file has a line for every flush and compaction and is never cut: 0.8 MB a minute for an instance with 31 stores at 500 mails a second, and the binding has no option for
 * it. RocksDB goes on where it was in a file that was cut, so what it has lost is a hole, which takes no room.
 */
export class InfoLog {
  readonly #path: string
  #writes = 0

  constructor(directory: string) {
    this.#path = join(directory, 'LOG')
  }

  /** Those of earlier runs; RocksDB keeps a thousand. Before it is opened: it then renames the last one. */
  static async deleteOld(directory: string): Promise<void> {
    const names = await readdir(directory).catch(() => [])
    const old = names.filter(name => name.startsWith('LOG.old.'))
    await Promise.all(old.map(name => rm(join(directory, name), { force: true })))
  }

  noteWrite(): void {
    this.#writes += 1
    if (this.#writes % writesBetween === 0) void this.trim()
  }

  /** Never rejects: a store needs no log. */
  async trim(): Promise<void> {
    try {
      const { blocks } = await stat(this.#path)
      if (blocks * blockBytes > keptBytes) await truncate(this.#path)
    } catch {
      // It may be gone with its store.
    }
  }
}
