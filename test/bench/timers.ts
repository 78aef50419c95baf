import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import type { Figures, Scenario } from './scenario.ts'

const program = fileURLToPath(new URL('timers-worker.ts', import.meta.url))

/** One task's engine with and without a million requests that wait for a time: what they cost in memory, and on the way of the others. */
export const timers: Scenario = {
  name: 'timers',
  what: 'a million waiting timers: memory, and the processor time of a send beside them',
  open: ({ mails, nodeFlags }) => {
    const run = async (waiting: number): Promise<Figures> => {
      const flags = [...nodeFlags, '--expose-gc', program, String(waiting), String(mails)]
      const { stdout } = await promisify(execFile)(process.execPath, flags)
      return JSON.parse(stdout) as Figures
    }
    return Promise.resolve({
      contenders: [
        { name: 'a million wait', run: () => run(1_000_000) },
        { name: 'none wait', run: () => run(0) },
      ],
      compared: ['cpuMicrosPerMail'],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    })
  },
}
