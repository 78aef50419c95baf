import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { StreamsError } from '../errors.ts'
import {
  type ProcessingMarks,
  type RecordRange,
  type Suspect,
  suspectsAfterDeath,
} from './processing-marks.ts'

/** Room for one mark, bytes: topic names end at 249. */
const markBytes = 512
const nothing = Buffer.from(' '.padEnd(markBytes))

/**
 * What is known to each of these becomes known to all of them, before any is opened: of the threads of a process, any may be given the
 * partition next time. Throws DISK_FULL.
 */
export function shareSuspects(paths: readonly string[]): void {
  const known = new Map<string, Suspect>()
  for (const path of paths)
    for (const suspect of (readJson(`${path}.suspects`) as readonly Suspect[] | undefined) ?? []) {
      const { topic, partition, first, last } = suspect
      const name = `${topic}/${partition}/${first}/${last}`
      if ((known.get(name)?.deaths ?? 0) < suspect.deaths) known.set(name, suspect)
    }
  const marks = paths.map(path => readJson(path) as RecordRange | undefined)
  const suspects = marks.reduce<readonly Suspect[]>(suspectsAfterDeath, [...known.values()])
  if (suspects.length === 0) return
  for (const path of paths) replaceSuspects(path, suspects)
  for (const path of paths) writeFileSync(path, '')
}

/**
 * Two files: `PATH` has the one mark, written in place into the kernel's cache (some microseconds, no flush: what is to be survived
 * is the death of the process), `PATH.suspects` what has come of marks that were found.
 */
export class FileProcessingMarks implements ProcessingMarks {
  readonly suspects: readonly Suspect[]
  readonly #path: string
  readonly #file: number
  readonly #buffer = Buffer.alloc(markBytes)

  /** Counts the death that the last life ended in, if it was processing. Throws DISK_FULL. */
  constructor(path: string) {
    this.#path = path
    const mark = readJson(path) as RecordRange | undefined
    const before = readJson(`${path}.suspects`) as readonly Suspect[] | undefined
    this.suspects = suspectsAfterDeath(before ?? [], mark)
    if (mark !== undefined) this.replace(this.suspects)
    this.#file = openSync(path, 'w')
  }

  begin({ topic, partition, first, last }: RecordRange): void {
    this.#buffer.fill(' ')
    this.#buffer.write(JSON.stringify({ topic, partition, first, last }))
    this.#write(this.#buffer)
  }

  end(): void {
    this.#write(nothing)
  }

  replace(suspects: readonly Suspect[]): void {
    replaceSuspects(this.#path, suspects)
  }

  [Symbol.asyncDispose](): Promise<void> {
    closeSync(this.#file)
    return Promise.resolve()
  }

  #write(bytes: Buffer): void {
    try {
      writeSync(this.#file, bytes, 0, markBytes, 0)
    } catch (error) {
      throw failure(this.#path, error)
    }
  }
}

/** A whole file in the place of the old one. */
function replaceSuspects(marks: string, suspects: readonly Suspect[]): void {
  const path = `${marks}.suspects`
  try {
    writeFileSync(`${path}.next`, JSON.stringify(suspects))
    renameSync(`${path}.next`, path)
  } catch (error) {
    throw failure(path, error)
  }
}

/** Undefined for what is missing, empty or torn: then nothing is held against anybody. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function failure(path: string, cause: unknown): StreamsError {
  const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
  return new StreamsError(
    full ? 'DISK_FULL' : 'CONFIGURATION_INVALID',
    `cannot write ${path}: ${full ? 'free some disk space' : 'the state directory must be writable'}`,
    { cause },
  )
}
