import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { Scenario } from './scenario.ts'
import { openBenchWorld } from './bench-world.ts'
import { loadRequests } from './load-requests.ts'

const program = fileURLToPath(new URL('dedup-worker.ts', import.meta.url))

/** The dedup stage alone: exactly-once, RocksDB store with changelog, Avro in and out, 600-byte texts, 10 % duplicates. */
export const dedupStage: Scenario = {
  name: 'dedup',
  what: 'dedup stage, one worker',
  run: async ({ records, nodeFlags, runs }) => {
    await using world = await openBenchWorld()
    await loadRequests(world, { records, duplicatePercent: 10, textBytes: 600 })
    const results: Record<string, number>[] = []
    for (let run = 0; run < runs; run += 1) {
      const { stdout } = await promisify(execFile)(process.execPath, [
        ...nodeFlags,
        program,
        world.kafka,
        world.registryUrl,
        world.directory,
        String(records),
      ])
      results.push(JSON.parse(stdout) as Record<string, number>)
    }
    return results
  },
}
