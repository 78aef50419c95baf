import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const launcher = fileURLToPath(new URL('../../../bin/mailonce.js', import.meta.url))

/** A command that ends; rejects with what it wrote unless it exits with 0. */
export async function runMailonce(...argv: readonly string[]): Promise<string> {
  const environment = { PATH: process.env['PATH'] }
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, ...argv], {
    env: environment,
  })
  return stdout
}
