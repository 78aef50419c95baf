import { readFileSync } from 'node:fs'

/** A page of this repository, by its path from the root. */
export function markdownPage(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** The fenced blocks of one language, in their order. */
export function blocksOf(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  )
}

/** The rows below a heading's first table, its head included, as cells: how the formatter pads them does not count. */
export function tableBelow(page: string, heading: string): readonly (readonly string[])[] {
  const [, below = ''] = page.split(`\n${heading}\n`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(below) ?? []
  const rows = table.trimEnd().split('\n')
  return rows
    .filter(row => !/^\|[\s|:-]+$/.test(row))
    .map(row => row.slice(1, -1).split('|'))
    .map(cells => cells.map(cell => cell.trim()))
}
