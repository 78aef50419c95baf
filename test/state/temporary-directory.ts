import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll } from 'vitest'

/** Makes empty directories that are gone after the file's last test. */
export function temporaryDirectories(): () => Promise<string> {
  const made: string[] = []
  afterAll(async () => {
    for (const path of made) await rm(path, { recursive: true, force: true })
  })
  return async () => {
    const path = await mkdtemp(join(tmpdir(), 'mailonce-test-'))
    made.push(path)
    return path
  }
}
