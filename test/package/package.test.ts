import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { blocksOf, markdownPage } from '../docs/markdown-page.ts'

vi.setConfig({ testTimeout: 60_000 })

const root = join(import.meta.dirname, '..', '..')
let project: string
let packed: readonly string[]

/** As a stranger's shell would: nothing of this checkout on the path but the Node that runs the test. */
async function run(command: string, ...words: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, words, {
    cwd: project,
    env: { ...process.env, NPM_CONFIG_LOGLEVEL: 'error', NODE_OPTIONS: '' },
  })
  return stdout.trim()
}

// What `npm pack` makes, installed into a project that has nothing else.
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'mailonce-package-'))
  const report = await run('npm', 'pack', root, '--json')
  // The build that runs before packing speaks first; npm 11 and later name the package, earlier ones give a list.
  const said = JSON.parse(report.slice(report.search(/^[[{]/m))) as Record<string, PackReport>
  const [pack] = Object.values(said)
  packed = pack?.files.map(({ path }) => path) ?? []
  await writeFile(join(project, 'package.json'), '{ "name": "stranger", "type": "module" }')
  await run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${pack?.filename}`)
}, 240_000)
afterAll(() => rm(project, { recursive: true }))

interface PackReport {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

test('the tarball has what runs and what is read, and no sources, tests or notes', () => {
  const folders = new Set(packed.map(path => (path.includes('/') ? path.split('/')[0] : '')))

  expect(folders).toEqual(new Set(['', 'bin', 'dist', 'schemas']))
  expect(packed).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'package.json',
      'bin/mailonce.js',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/main.js',
      'schemas/email-requested.avsc',
    ]),
  )
  expect(packed.filter(path => /(?<!\.d)\.ts$|\.test\./.test(path))).toEqual([])
})

test('the installed command says its version and describes the topology', async () => {
  const { version } = JSON.parse(markdownPage('package.json')) as { readonly version: string }

  expect(await run('npx', 'mailonce', '--version')).toBe(version)
  expect(await run('npx', 'mailonce', 'topology')).toMatch(/^Topology:\n {2}Sub-topology: dedup\n/)
})

test("the programs of the pages are type-checked against the package's types", async () => {
  const [block = ''] = blocksOf(markdownPage('README.md'), 'ts')
  const [service = ''] = blocksOf(markdownPage('docs/library.md'), 'ts')
  await writeFile(join(project, 'topology.ts'), block)
  await writeFile(join(project, 'service.ts'), service)
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(strangersOptions))

  const complaints = await run(join(root, 'node_modules', '.bin', 'tsc'), '-p', '.').catch(
    (error: unknown) => (error as { readonly stdout: string }).stdout,
  )

  expect(complaints).toBe('')
  expect(await run(process.execPath, 'topology.ts')).toBe('ada tea')
})

test('a wrong parent is an error for the one who installed the package', async () => {
  const [block = ''] = blocksOf(markdownPage('README.md'), 'ts')
  await writeFile(join(project, 'topology.ts'), block.replace(`from: 'orders'`, `from: 'ordres'`))
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(strangersOptions))

  const complaints = await run(join(root, 'node_modules', '.bin', 'tsc'), '-p', '.').catch(
    (error: unknown) => (error as { readonly stdout: string }).stdout,
  )

  expect(complaints).toContain('ordres')
})

/** Strict, with the declarations of the package checked as well. */
const strangersOptions = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
  },
  files: ['topology.ts', 'service.ts'],
}
