import { expect, test } from 'vitest'

import { describeError } from '../../src/errors.ts'
import { bindingError, rocksdbError } from '../../src/state/rocksdb-error.ts'

test.each([
  {
    text: 'While lock file: /state/mail/instance/LOCK: Resource temporarily unavailable',
    code: 'STATE_LOCKED',
  },
  {
    text: 'lock hold by current process, acquire time 1 acquiring thread 2: /s/LOCK: No locks available',
    code: 'STATE_LOCKED',
  },
  { text: 'While open a file for lock: /s/LOCK: Permission denied', code: 'CONFIGURATION_INVALID' },
  { text: 'While mkdir if missing: /s: Not a directory', code: 'CONFIGURATION_INVALID' },
  { text: 'While appending to file: /s/000009.log: No space left on device', code: 'DISK_FULL' },
  { text: 'While open a file for random read: Too many open files', code: 'ENVIRONMENT_MISSING' },
  { text: 'block checksum mismatch: stored = 1, computed = 2', code: 'STORE_CORRUPTED' },
  { text: 'CURRENT file does not end with newline', code: 'STORE_CORRUPTED' },
])('"$text" is $code', ({ text, code }) => {
  const cause = new Error('Batch was not applied', { cause: new Error(text) })

  const error = rocksdbError(cause, 'open /s')

  expect(error.code).toBe(code)
  expect(error.cause).toBe(cause)
  expect(describeError(error)).toMatch(/^cannot open \/s/)
})

test.each([
  {
    text: 'libatomic.so.1: cannot open shared object file: No such file or directory',
    advice: /install libatomic .*apt-get install libatomic1/,
  },
  { text: "Cannot find addon '.'", advice: /no build for .*npm ci/ },
])('a binding that does not load says what to install: $text', ({ text, advice }) => {
  const cause = new Error("Cannot load addon 'file:///rocksdb-native.node'", {
    cause: new Error(text),
  })

  const error = bindingError(cause)

  expect(error.code).toBe('ENVIRONMENT_MISSING')
  expect(error.message).toMatch(advice)
  expect(error.message).not.toContain('\n')
})
