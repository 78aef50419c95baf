import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const docs = new URL('../../docs/', import.meta.url)
const page = readFileSync(new URL('hard-cases.md', docs), 'utf8')

interface Row {
  readonly id: string
  readonly cells: readonly string[]
}

const rows: readonly Row[] = page
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim()))
  .flatMap(([, id, ...cells]) => (/^H\d+$/.test(id ?? '') ? [{ id: id ?? '', cells }] : []))

/** Links to tests by their names. */
function testsIn(text: string): { readonly name: string; readonly path: string }[] {
  return [...text.matchAll(/\[([^\]]+)\]\((\.\.\/test\/[^)]+)\)/g)].map(
    ([, name = '', path = '']) => ({
      name,
      path,
    }),
  )
}

test('docs/hard-cases.md has a row for each of the 39 cases', () => {
  expect(rows.map(each => each.id)).toEqual(
    Array.from({ length: 39 }, (_, index) => `H${index + 1}`),
  )
})

test.each(rows)('$id names a test that shows it, or says that there is none', ({ cells }) => {
  const shownBy = cells[2] ?? ''

  const isHonest = testsIn(shownBy).length > 0 || shownBy === 'not yet'

  expect(isHonest).toBe(true)
})

test.each(testsIn(page))('$path has the test that docs/hard-cases.md names: $name', each => {
  const file = new URL(each.path, docs)
  const source = existsSync(file) ? readFileSync(file, 'utf8') : ''

  expect(source).toContain(each.name)
})
