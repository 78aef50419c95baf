import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, sleep } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import { rocksdbError } from './rocksdb-error.ts'

/** A store changes hands between threads in the moment in which both learn of it, milliseconds. */
const handOverMaxMs = 1000
const handOverLookMs = 10

/**
 * Which stores of a state directory are open in some thread of the process that owns it: one file each. RocksDB has a lock too, but takes
 * it only after it has looked at the files, and what is half made looks broken. Whoever takes the directory empties this.
 */
export class StoreLocks {
  readonly #path: string
  readonly #clock: Clock

  constructor(stateDirectory: string, clock: Clock) {
    this.#path = locksPath(stateDirectory)
    this.#clock = clock
  }

  /** Waits a moment for whoever has the store; returns what gives it back. Throws STORE_IN_USE. */
  async take(name: string): Promise<() => Promise<void>> {
    const file = join(this.#path, name)
    await mkdir(this.#path, { recursive: true })
    const untilMs = this.#clock.monotonicMs() + handOverMaxMs
    while (!(await isMade(file))) {
      if (this.#clock.monotonicMs() >= untilMs)
        throw new StreamsError('STORE_IN_USE', `another thread still has the store ${name} open`)
      await sleep(this.#clock, handOverLookMs)
    }
    return () => rm(file, { force: true })
  }
}

/** Of threads that are no more. */
export async function freeStores(stateDirectory: string): Promise<void> {
  await rm(locksPath(stateDirectory), { recursive: true, force: true })
}

function locksPath(stateDirectory: string): string {
  return join(stateDirectory, '~open')
}

async function isMade(file: string): Promise<boolean> {
  try {
    await (await open(file, 'wx')).close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw rocksdbError(error, `make ${file}`)
  }
}
