import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/**
 * The guardian reads lines from a pipe that only its owner holds. End of file means that the owner has closed it or is
 * gone, whatever the reason, SIGKILL included: then everything that is still listed dies and the directory goes.
 * A process takes a moment to die and may still write meanwhile, so the removal is tried for two seconds.
 * It ignores the terminal's signals because Ctrl-C reaches the owner, who may want to stop its servers gently.
 */
const script = `
trap '' INT TERM HUP
pids=
while read -r sign pid; do
  rest=
  for each in $pids; do [ "$each" = "$pid" ] || rest="$rest $each"; done
  pids=$rest
  [ "$sign" = + ] && pids="$pids $pid"
done
for each in $pids; do kill -KILL "$each" 2>/dev/null; done
tries=20
until rm -rf -- "$1" 2>/dev/null || [ $tries -eq 0 ]; do
  tries=$((tries - 1))
  sleep 0.1
done
`

/**
 * Makes sure that no server outlives the process that started it, and that the directory they wrote to is removed.
 * Costs one idle shell; needs nothing but POSIX.
 */
export class ProcessGuardian implements AsyncDisposable {
  readonly #shell: ChildProcess

  /** `directory` is deleted with all its content at the end. */
  constructor(directory: string) {
    this.#shell = spawn('/bin/sh', ['-c', script, 'mailonce-guardian', directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    // A shell that cannot be started or has been killed leaves the owner's own stop, which does not need it.
    this.#shell.on('error', () => undefined)
    this.#shell.stdin?.on('error', () => undefined)
  }

  /** Lists a process until it has ended, so that an id which the system gives away again is never killed. */
  watch(child: ChildProcess): void {
    if (child.pid === undefined) return
    this.#shell.stdin?.write(`+ ${child.pid}\n`)
    child.once('exit', () => {
      if (this.#shell.stdin?.writable) this.#shell.stdin.write(`- ${child.pid}\n`)
    })
  }

  /** Kills what is still listed, removes the directory and waits for both. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return
    if (this.#shell.pid === undefined) return
    const exited = once(this.#shell, 'exit')
    this.#shell.stdin?.end()
    await exited
  }
}
