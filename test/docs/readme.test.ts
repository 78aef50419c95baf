import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test, vi } from 'vitest'
import { blocksOf, markdownPage } from './markdown-page.ts'

// Each block is a process of its own.
vi.setConfig({ testTimeout: 60_000 })

const root = new URL('../../', import.meta.url)
const page = markdownPage('README.md')
const folder = mkdtempSync(join(tmpdir(), 'mailonce-readme-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('every ts block of the README runs and prints what its last comment says', async () => {
  const blocks = blocksOf(page, 'ts')
  expect(blocks.length).toBeGreaterThan(0)

  for (const [index, block] of blocks.entries()) {
    const file = join(folder, `block-${index}.ts`)
    const publicDoor = new URL('src/index.ts', root).href
    writeFileSync(file, block.replaceAll(`from 'mailonce'`, `from '${publicDoor}'`))

    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: root })

    expect(stdout.trim()).toBe(/\/\/ (.*)\n$/.exec(block)?.[1])
  }
})

test('every link of README, changelog and docs leads to a file that is there', () => {
  const below = readdirSync(new URL('docs', root), { recursive: true, encoding: 'utf8' })
  const pages = below
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`)
    .concat('README.md', 'CHANGELOG.md')

  const dead = pages.flatMap(path =>
    [...markdownPage(path).matchAll(/\]\(([^)#]+?)(?:#[^)]*)?\)/g)]
      .flatMap(([, target = '']) => (target.startsWith('http') ? [] : [target]))
      .filter(target => !existsSync(new URL(target, new URL(path, root))))
      .map(target => `${path}: ${target}`),
  )

  expect(dead).toEqual([])
})
