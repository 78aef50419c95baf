import { topicNames } from '../../../src/email/topic-names.ts'
import { recipientsOf } from '../../../src/email/recipients.ts'
import { identityOf } from '../../../src/email/identity.ts'
import { applicationId } from './email-machine.ts'
import type { EmailWorld } from './email-world.ts'
import type { Reached } from './reached.ts'
import { reasonOf, requestHistories } from './request-histories.ts'

/** What can be seen only in the end: how requests ended, and by which ways. */
export function noteOutcomes(world: EmailWorld, reached: Reached): void {
  for (const { asked, original, ends, policy } of requestHistories(world)) {
    for (const end of asked.flatMap(each => each.ends)) reached.note(`ended ${reasonOf(end)}`)
    if (ends.length > 1) reached.note('end revised')
    if (original === undefined) continue
    const identity = identityOf(original.request)
    const twice = recipientsOf(original.request).some(
      address => world.relay.timesTaken(identity, address) > 1,
    )
    if (twice && policy === 'resend') reached.note('sent again after a doubt')
  }
  for (const { outcome } of world.callbacks()) reached.note(`callback ${outcome}`)
  reached.note('evidence', world.committed(`${applicationId}-send-commands`).length)
  reached.note('rerouted', world.committed(`${applicationId}-requests-repartition`).length)
  reached.note('accepted', world.committed(topicNames.dedup).length)
}
