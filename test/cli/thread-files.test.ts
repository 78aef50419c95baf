import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { prepareThreadFiles, threadFiles } from '../../src/cli/thread-files.ts'
import { FileJournal } from '../../src/effects/journal.ts'
import { FileProcessingMarks } from '../../src/runtime/file-processing-marks.ts'

let directory: string
const paths = { path: (name: string) => join(directory, name) }
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mailonce-threads-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const files = (index: number) => threadFiles(paths, index)

/** A life of a thread that ends with a reply nobody has committed. */
async function replied(index: number, token: string): Promise<void> {
  await using journal = await FileJournal.open(files(index).journal)
  journal.attempts([{ token, identity: 'i', topic: 't', partition: 0 }])
  await journal.dots([token])
  journal.reply(token, 'done', '250 ok', 1)
}

async function evidenceOf(index: number): Promise<readonly string[]> {
  await using journal = await FileJournal.open(files(index).journal)
  return journal.evidence.map(each => each.token)
}

const range = (partition: number) => ({ topic: 't', partition, first: 5, last: 5 })

/** A life of a thread that ends in the middle of this record. */
function diedProcessing(index: number, partition: number): void {
  new FileProcessingMarks(files(index).processing).begin(range(partition))
}

test('the first thread has the files of a process with only one', () => {
  expect(files(0)).toEqual({
    journal: join(directory, 'journal'),
    processing: join(directory, 'processing'),
    schemas: join(directory, 'schemas.json'),
  })
})

test('the journal of a thread that there is no more goes to the first one, the others stay', async () => {
  await replied(0, 'first')
  await replied(1, 'second')
  await replied(3, 'fourth')

  await prepareThreadFiles(paths, 2)

  expect(await evidenceOf(0)).toEqual(['first', 'fourth'])
  expect(await evidenceOf(1)).toEqual(['second'])
  expect(await evidenceOf(3)).toEqual([])
})

test('an adoption that was broken off is done again, and says nothing twice', async () => {
  await replied(2, 'third')
  const lines = readFileSync(files(2).journal)
  writeFileSync(files(0).journal, lines.subarray(0, 10))

  await prepareThreadFiles(paths, 1)

  expect(await evidenceOf(0)).toEqual(['third'])
})

test('what one thread died of every thread of the next life knows', async () => {
  diedProcessing(1, 4)

  await prepareThreadFiles(paths, 2)

  for (const index of [0, 1]) {
    const { suspects } = new FileProcessingMarks(files(index).processing)
    expect(suspects).toEqual([{ ...range(4), deaths: 1 }])
  }
})

test('deaths over one record add up, whichever thread had its partition', async () => {
  for (const index of [0, 1, 2]) {
    diedProcessing(index, 4)
    await prepareThreadFiles(paths, 2)
  }

  const { suspects } = new FileProcessingMarks(files(1).processing)
  expect(suspects).toEqual([{ ...range(4), deaths: 3 }])
})

test('a new thread knows the schemas that are known', async () => {
  writeFileSync(files(0).schemas, 'known')
  writeFileSync(files(1).schemas, 'its own')

  await prepareThreadFiles(paths, 3)

  expect([1, 2].map(index => readFileSync(files(index).schemas, 'utf8'))).toEqual([
    'its own',
    'known',
  ])
})
