import { OpenRequests } from '../../../../src/effects/open-requests.ts'
import { OutboxRoom } from '../../../../src/effects/outbox-room.ts'
import { unaltered } from '../alterations.ts'
import type { PlantedBug } from './planted-bug.ts'
import { replaced } from './replaced.ts'

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
