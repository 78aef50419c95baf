import { constants } from 'node:fs'
import { copyFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { adoptJournal } from '../effects/adopt-journal.ts'
import { shareSuspects } from '../runtime/file-processing-marks.ts'
import type { StateDirectory } from '../state/store.ts'

/** Files in the state directory that each thread has for itself. */
export interface ThreadFiles {
  readonly journal: string
  readonly processing: string
  readonly schemas: string
}

/** Those of the first thread have no number: with one thread there is no other. */
export function threadFiles(stateDirectory: PathsOf, index: number): ThreadFiles {
  const number = index === 0 ? '' : `-${index}`
  return {
    journal: stateDirectory.path(`journal${number}`),
    processing: stateDirectory.path(`processing${number}`),
    schemas: stateDirectory.path(`schemas${number}.json`),
  }
}

type PathsOf = Pick<StateDirectory, 'path'>

/**
 * Before any thread opens its files: the last life may have had more threads, or others had the partitions. What a journal knows that nobody
 * will open goes to the first one, every thread learns of what others died, and a new one of the schemas that are known.
 */
export async function prepareThreadFiles(stateDirectory: PathsOf, threads: number): Promise<void> {
  const first = threadFiles(stateDirectory, 0)
  const directory = dirname(first.journal)
  const names = await readdir(directory)
  for (const name of names) {
    const index = Number(/^journal-(\d+)$/.exec(name)?.[1] ?? 0)
    if (index >= threads) await adoptJournal(join(directory, name), first.journal)
  }
  const files = Array.from({ length: threads }, (_, index) => threadFiles(stateDirectory, index))
  const marks = names
    .filter(name => /^processing-\d+$/.test(name))
    .map(name => join(directory, name))
  shareSuspects([...new Set([...files.map(each => each.processing), ...marks])])
  for (const { schemas } of files.slice(1))
    await copyFile(first.schemas, schemas, constants.COPYFILE_EXCL).catch(() => undefined)
}
