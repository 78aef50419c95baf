import assert from 'node:assert/strict'

import { StreamsError } from '../errors.ts'

/**
 * Checks a key at the border of the backends: it must not be empty, because '' stands for the start of a scan, and it must be
 * well-formed Unicode, because lone surrogates all become the same three bytes of UTF-8.
 */
export function checkKey(key: string): void {
  assert(key !== '', 'a store key is not empty')
  assert(key.isWellFormed(), 'a store key is well-formed Unicode')
}

/** The first byte of a row says what it is, so that no key of an entry can be taken for a row of another kind. */
export const entryMark = '\u0001'

/** A key that has been checked, as it lies on disk: its mark and its UTF-8 bytes. */
export function rowOfKey(key: string): Buffer {
  const row = Buffer.allocUnsafe(entryMark.length + Buffer.byteLength(key))
  row[0] = entryMark.charCodeAt(0)
  row.write(key, entryMark.length)
  return row
}

/** The bytes of the key itself, which are the row's. */
export function keyOfRow(row: Buffer): Buffer {
  return row.subarray(entryMark.length)
}

/** Compares two well-formed texts as their UTF-8 bytes would compare. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return utf8Rank(a) - utf8Rank(b)
  }
  return left.length - right.length
}

/** UTF-16 sorts surrogates (characters beyond U+FFFF) before U+E000 to U+FFFF; UTF-8 sorts them last. */
function utf8Rank(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit <= 0xdfff ? codeUnit + 0x10000 : codeUnit
}

/** Checks what becomes part of a path: the characters of a Kafka topic name, and not `.` or `..`. Throws CONFIGURATION_INVALID. */
export function checkName(kind: string, name: string): void {
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(name) && !/^\.{1,2}$/.test(name)) return
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `'${name}' is no ${kind} name: use letters, digits, '.', '_' and '-'`,
  )
}
