import { type Clock, sleep } from '../clock.ts'
import { type RestoreState, restoreText } from '../runtime/restore-progress.ts'
import type { Terminal } from './terminal.ts'

const width = 30
const everyMs = 200

/** `[#####-----] restoring: 50 %, …` */
export function restoreBar(state: RestoreState): string {
  const full = Math.floor(state.share * width)
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${restoreText(state)}`
}

export interface RestoreBarOptions {
  readonly processor: { readonly restoring: RestoreState | undefined }
  readonly terminal: Pick<Terminal, 'status'>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Shows a bar while stores are restored, until aborted; nothing where nobody looks at a screen. */
export async function showRestoreBar(options: RestoreBarOptions): Promise<void> {
  const { processor, terminal, clock, signal } = options
  if (terminal.status === undefined) return
  let isShown = false
  while (!signal.aborted) {
    const { restoring } = processor
    if (restoring !== undefined) terminal.status(restoreBar(restoring))
    else if (isShown) terminal.status('')
    isShown = restoring !== undefined
    await sleep(clock, everyMs, signal)
  }
}
