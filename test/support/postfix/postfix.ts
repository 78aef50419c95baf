import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, watch, type FSWatcher } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePorts } from '../../../src/dev/free-ports.ts'
import { systemRandom } from '../../../src/random.ts'
import { postfixDoors, postfixFiles, postfixLogin, type PostfixDoor } from './configuration.ts'

const master = '/usr/lib/postfix/sbin/master'
const programs = [master, '/usr/sbin/postconf', '/usr/sbin/saslpasswd2']

/** Why there is no Postfix to test against, for the title of what is skipped; null where there is one. */
export const postfixMissing: string | null = missing()

function missing(): string | null {
  if (!programs.every(existsSync)) return 'skipped: apt-get install postfix sasl2-bin'
  return process.getuid?.() === 0 ? null : 'skipped: only root may start Postfix'
}

/** nobody: Postfix delivers as no user below 100. */
const mailUser = 65_534

/**
 * Debian's Postfix with configuration, queue and mailbox in a directory of its own, on free ports of 127.0.0.1: nothing of the
 * system's is read or written. It takes mail for every address; `refused@example.com` and `deferred@example.com` are refused at RCPT,
 * `bounced@example.com` comes back as a DSN, `unwelcome@example.org` may not send.
 */
export class Postfix implements AsyncDisposable {
  readonly log: string[] = []
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #ports: Readonly<Record<PostfixDoor, number>>
  readonly #watcher: FSWatcher
  readonly #watchers = new Set<() => void>()

  private constructor(
    child: ChildProcess,
    directory: string,
    ports: Readonly<Record<PostfixDoor, number>>,
  ) {
    this.#child = child
    this.#directory = directory
    this.#ports = ports
    this.#watcher = watch(join(directory, 'log'), () => this.#readLog())
    this.#readLog()
  }

  /** @param returnsPort Where mail for returns@example.org is handed in by LMTP. */
  static async start({ returnsPort }: PostfixOptions = {}): Promise<Postfix> {
    const free = await freePorts(postfixDoors.length, systemRandom)
    const ports = Object.fromEntries(
      postfixDoors.map((door, at) => [door, free[at] ?? 0]),
    ) as Record<PostfixDoor, number>
    const directory = await mkdtemp(join(tmpdir(), 'mailonce-postfix-'))
    await prepareDirectory(directory, ports, returnsPort)
    // A group of its own: the master stops by a signal to its whole group.
    const config = join(directory, 'config')
    const child = spawn(master, ['-c', config, '-s'], {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { MAIL_CONFIG: config, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    })
    const postfix = new Postfix(child, directory, ports)
    const started = postfix.untilLog(/daemon started/)
    const ended = once(child, 'exit').then(() => {
      throw new Error(`Postfix does not start: ${postfix.log.join('\n')}`)
    })
    ended.catch(() => undefined)
    await Promise.race([started, ended])
    return postfix
  }

  port(door: PostfixDoor): number {
    return this.#ports[door]
  }

  url(door: PostfixDoor): string {
    return `smtp://127.0.0.1:${this.#ports[door]}`
  }

  /** Resolves when the log, from its line `from` on, has `count` lines that match. */
  untilLog(pattern: RegExp, { from = 0, count = 1 } = {}): Promise<void> {
    return this.#until(
      () => this.log.slice(from).filter(line => pattern.test(line)).length >= count,
    )
  }

  /** Resolves with what the mailbox holds for this Message-ID, one mail a recipient, as soon as Postfix is done with it. */
  async delivered(messageId: string): Promise<readonly DeliveredMail[]> {
    const id = escapeRegExp(messageId)
    // A message that is cut off is logged as well, under a queue id that never gets as far as qmgr.
    await this.#until(() => {
      const ids = this.log.flatMap(
        line => new RegExp(` (\\w+): message-id=${id}$`).exec(line)?.[1] ?? [],
      )
      return ids.some(queueId => this.log.some(line => line.includes(`${queueId}: removed`)))
    })
    const header = new RegExp(`^message-id:\\s+${id}\r$`, 'im')
    return (await this.mails()).filter(mail => header.test(mail.message))
  }

  /** Every mail delivered so far, one for each recipient. */
  async mails(): Promise<readonly DeliveredMail[]> {
    const box = join(this.#directory, 'mail', 'box', 'new')
    const names = existsSync(box) ? await readdir(box) : []
    const texts = await Promise.all(names.toSorted().map(name => readFile(join(box, name))))
    return texts.map(bytes => readDelivery(bytes.toString('latin1')))
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const look = (): void => {
        if (!condition()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  #readLog(): void {
    const whole = readFileSync(join(this.#directory, 'log'), 'utf8').split('\n').slice(0, -1)
    if (whole.length === this.log.length) return
    this.log.push(...whole.slice(this.log.length))
    for (const look of this.#watchers) look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close()
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      await exited
    }
    await rm(this.#directory, { recursive: true, force: true })
  }
}

interface PostfixOptions {
  readonly returnsPort?: number
}

export interface DeliveredMail {
  readonly recipient: string
  /** Header and body as they reached Postfix, with its own CRLF, without what it put before them. */
  readonly message: string
}

/** Postfix writes LF, and puts Return-Path, X-Original-To, Delivered-To and Received before the message. */
function readDelivery(text: string): DeliveredMail {
  const recipient = /^Delivered-To: (.*)$/m.exec(text)?.[1] ?? ''
  const own = /^(?:(?:Return-Path|X-Original-To|Delivered-To|Received):.*\n(?:[ \t].*\n)*)*/
  return { recipient, message: text.replace(own, '').replaceAll('\n', '\r\n') }
}

const ownQueues =
  'incoming active deferred corrupt hold saved flush bounce defer trace private'.split(' ')

async function prepareDirectory(
  directory: string,
  ports: Readonly<Record<PostfixDoor, number>>,
  returnsPort: number | undefined,
): Promise<void> {
  // Postfix's own users have to get in.
  await chmod(directory, 0o755)
  await writeFile(join(directory, 'log'), '')
  for (const [name, text] of Object.entries(
    postfixFiles(directory, ports, mailUser, returnsPort),
  )) {
    const path = join(directory, 'config', name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
  const postfixUser = idOf('/etc/passwd', 'postfix')
  const postdropGroup = idOf('/etc/group', 'postdrop')
  for (const name of ownQueues) await makeQueue(directory, name, 0o700, postfixUser)
  await makeQueue(directory, 'maildrop', 0o730, postfixUser, postdropGroup)
  await makeQueue(directory, 'public', 0o710, postfixUser, postdropGroup)
  await makeQueue(directory, 'pid', 0o755, 0)
  await mkdir(join(directory, 'data'))
  await chown(join(directory, 'data'), postfixUser, 0)
  await mkdir(join(directory, 'mail'))
  await chown(join(directory, 'mail'), mailUser, mailUser)
  const users = join(directory, 'config', 'sasl', 'users')
  const { user, realm, password } = postfixLogin
  execFileSync('/usr/sbin/saslpasswd2', ['-p', '-c', '-f', users, '-u', realm, user], {
    input: password,
  })
  await chown(users, postfixUser, 0)
}

async function makeQueue(
  directory: string,
  name: string,
  mode: number,
  user: number,
  group = 0,
): Promise<void> {
  const path = join(directory, 'queue', name)
  await mkdir(path, { recursive: true })
  await chown(path, user, group)
  await chmod(path, mode)
}

/** The number in the third field, in both files. */
function idOf(file: '/etc/passwd' | '/etc/group', name: string): number {
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find(each => each.startsWith(`${name}:`))
  return Number(line?.split(':')[2])
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
