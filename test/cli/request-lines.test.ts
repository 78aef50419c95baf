import { expect, test } from 'vitest'
import { lineGroups, type NumberedLine } from '../../src/cli/request-lines.ts'

async function groupsOf(
  chunks: readonly (string | Buffer)[],
  lineBytesMax = 100,
): Promise<(readonly NumberedLine[])[]> {
  async function* stream(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk)
  }
  const groups: (readonly NumberedLine[])[] = []
  for await (const group of lineGroups(stream(), lineBytesMax)) groups.push(group)
  return groups
}

test('lines that arrive together come together, and each is numbered', async () => {
  expect(await groupsOf(['a\nb\nc', 'd\n', 'e'])).toEqual([
    [
      { number: 1, text: 'a' },
      { number: 2, text: 'b' },
    ],
    [{ number: 3, text: 'cd' }],
    [{ number: 4, text: 'e' }],
  ])
})

test('empty lines are counted and left out, carriage returns and a byte order mark belong to no line', async () => {
  expect(await groupsOf(['\uFEFFa\r\n\r\n  \nb\r\n'])).toEqual([
    [
      { number: 1, text: 'a' },
      { number: 4, text: 'b' },
    ],
  ])
})

test('a character that is cut by the end of a chunk stays whole', async () => {
  const bytes = Buffer.from('grüße\n')

  expect(await groupsOf([bytes.subarray(0, 3), bytes.subarray(3)])).toEqual([
    [{ number: 1, text: 'grüße' }],
  ])
})

test('a line that never ends is an error', async () => {
  await expect(groupsOf(['a\n', 'b'.repeat(101)])).rejects.toThrow(
    'line 2 is longer than 100 bytes',
  )
})

test('nothing has no lines', async () => {
  expect(await groupsOf([])).toEqual([])
})
