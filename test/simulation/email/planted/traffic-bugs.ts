import { OpenRequests } from '../../../../src/effects/open-requests.ts'
import { OutboxRoom } from '../../../../src/effects/outbox-room.ts'
import { unaltered } from '../alterations.ts'
import type { PlantedBug } from './planted-bug.ts'

export const trafficBugs: readonly PlantedBug[] = [
  {
    bug: 'a lane that had no room is never woken again',
    alteration: unaltered,
    plant: () => replaced(OpenRequests.prototype, 'noteRoom', () => undefined),
  },
  {
    bug: 'an outbox that was full once stays full',
    alteration: unaltered,
    plant: () =>
      replaced(OutboxRoom.prototype, 'add', function (add, requests, bytes) {
        if (!this.isFull) add.call(this, requests, bytes)
      }),
  },
]

/** Puts another method, which is given the first, in the place of one; returns what puts it back. */
function replaced<Key extends string, T extends Record<Key, (...rest: never[]) => unknown>>(
  prototype: T,
  name: Key,
  method: (this: T, original: T[Key], ...rest: Parameters<T[Key]>) => void,
): () => void {
  const original = prototype[name]
  prototype[name] = function (this: T, ...rest: Parameters<T[Key]>) {
    method.call(this, original, ...rest)
  } as T[Key]
  return () => {
    prototype[name] = original
  }
}
