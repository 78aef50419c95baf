import { StreamsError, type ErrorCode } from '../errors.ts'

/**
 * RocksDB's failures reach us as text (the binding turns nearly every status into EIO), so the text decides. What is not
 * the machine's fault counts as corruption: a store is only a copy of its changelog, and making it anew is always right.
 */
const rules: readonly {
  readonly says: RegExp
  readonly code: ErrorCode
  readonly advice: string
}[] = [
  {
    says: /No space left|Disk quota/i,
    code: 'DISK_FULL',
    advice: 'free some space and start again',
  },
  {
    says: /Permission denied|Read-only file system|Not a directory/i,
    code: 'CONFIGURATION_INVALID',
    advice: 'the state directory must be a directory that this user may write to',
  },
  {
    says: /Too many open files/i,
    code: 'ENVIRONMENT_MISSING',
    advice: 'raise the limit of open files (ulimit -n)',
  },
  { says: /\bLOCK: /, code: 'STATE_LOCKED', advice: 'another live process has it open' },
]

/** Turns what the binding throws into our one error. The only place that knows RocksDB's words. */
export function rocksdbError(cause: unknown, doing: string): StreamsError {
  const text = cause instanceof Error ? textOf(cause) : String(cause)
  const rule = rules.find(({ says }) => says.test(text))
  if (rule === undefined) return new StreamsError('STORE_CORRUPTED', `cannot ${doing}`, { cause })
  return new StreamsError(rule.code, `cannot ${doing}: ${rule.advice}`, { cause })
}

/** Why the binding did not load, and what to install. */
export function bindingError(cause: unknown): StreamsError {
  const text = cause instanceof Error ? textOf(cause) : String(cause)
  const advice = text.includes('libatomic')
    ? 'install libatomic (Debian, Ubuntu: apt-get install libatomic1; Fedora, RHEL: dnf install libatomic)'
    : `it has no build for ${process.platform}-${process.arch} here (Alpine has none: use a glibc image), or the install is incomplete (npm ci)`
  return new StreamsError('ENVIRONMENT_MISSING', `RocksDB cannot be loaded: ${advice}`, { cause })
}

function textOf(error: Error): string {
  const cause = error.cause instanceof Error ? ` ${textOf(error.cause)}` : ''
  return `${error.message}${cause}`
}
