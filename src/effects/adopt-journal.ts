import { open, readFile, rm } from 'node:fs/promises'
import { StreamsError } from '../errors.ts'

/**
 * Puts what a journal holds that nobody will open any more into another one that is about to be opened. Dying in the middle is harmless:
 * lines that stand there twice say the same.
 */
export async function adoptJournal(from: string, into: string): Promise<void> {
  try {
    const lines = await readFile(from)
    const file = await open(into, 'a')
    try {
      // The last line before may be torn.
      await file.appendFile('\n')
      await file.appendFile(lines)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rm(from)
  } catch (cause) {
    const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
    throw new StreamsError(
      full ? 'DISK_FULL' : 'INTERNAL',
      `the journal ${from} cannot be added to ${into}: ${full ? 'free some disk space' : 'the state directory must be writable'}`,
      { cause },
    )
  }
}
