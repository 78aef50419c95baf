import { StreamsError } from '../errors.ts'
import type { StoreDefinition } from './store.ts'

/** The key that has to be loaded before the record can be processed again. */
export interface MissedKey {
  readonly store: StoreDefinition
  readonly key: string
}

const missedKeys = new WeakMap<StreamsError, MissedKey>()

/** KEY_NOT_LOADED, with the key for whoever loads it. */
export function keyNotLoadedError(store: StoreDefinition, key: string): StreamsError {
  const error = new StreamsError(
    'KEY_NOT_LOADED',
    `store '${store.name}' was asked for a key that is not loaded: '${key}'`,
  )
  missedKeys.set(error, { store, key })
  return error
}

/** What a KEY_NOT_LOADED error is about, also when a processor wrapped it; undefined for every other error. */
export function keyNotLoaded(error: unknown): MissedKey | undefined {
  if (error instanceof StreamsError && missedKeys.has(error)) return missedKeys.get(error)
  return error instanceof Error && error.cause !== undefined ? keyNotLoaded(error.cause) : undefined
}
