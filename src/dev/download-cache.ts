import { access, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Random } from '../random.ts'

/**
 * Directories that are filled once and then only read. One appears under its name by a rename when it is complete, so
 * two starts at the same time never see half a download: the slower one throws its own copy away.
 */
export class DownloadCache {
  readonly #directory: string
  readonly #random: Random

  constructor(directory: string, random: Random) {
    this.#directory = directory
    this.#random = random
  }

  async has(name: string): Promise<boolean> {
    return exists(join(this.#directory, name))
  }

  /** The directory called `name`; `fill` is given an empty directory when it is not there yet. */
  async directory(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
    const finished = join(this.#directory, name)
    if (await exists(finished)) return finished
    const partial = join(this.#directory, `.${name}-${this.#random.uuid()}.partial`)
    await mkdir(partial, { recursive: true })
    try {
      await fill(partial)
      await rename(partial, finished)
    } catch (error) {
      await rm(partial, { recursive: true, force: true })
      if (!(await exists(finished))) throw error
    }
    return finished
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch {
    return false
  }
}
