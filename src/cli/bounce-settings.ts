import type { BounceOptions } from '../email/bounce-processor.ts'
import type { CallbackOptions } from '../email/callback-processor.ts'
import { EnvelopeIds } from '../email/envelope-ids.ts'
import { StreamsError } from '../errors.ts'
import type { SmtpSinkOptions } from '../sinks/smtp-options.ts'
import type { Configuration } from './configuration.ts'
import { secretOf } from './secrets.ts'

/** What the sink and the topology have to know of mails that come back. */
export interface BounceSettings {
  readonly envelopeIdOf: NonNullable<SmtpSinkOptions['envelopeIdOf']>
  /** Left out where no key is configured: then no mail is named, and no report is recognised. */
  readonly bounces?: BounceOptions & NonNullable<CallbackOptions['bounces']>
}

/** Reads the key. Throws CONFIGURATION_INVALID. */
export async function bounceSettings(
  configuration: Pick<
    Configuration,
    'bouncesKey' | 'bouncesKeyFile' | 'bouncesSuppress' | 'bouncesByMessageId' | 'smtpDsn' | 'lmtp'
  >,
): Promise<BounceSettings> {
  const { bouncesKey, bouncesKeyFile, bouncesSuppress, bouncesByMessageId } = configuration
  const key = await secretOf('bounces.key', bouncesKey, bouncesKeyFile)
  if (key === undefined && configuration.lmtp !== undefined)
    throw new StreamsError(
      'CONFIGURATION_INVALID',
      'bounces.key is not given: without it no report that --lmtp takes could be recognised',
    )
  if (key === undefined) return { envelopeIdOf: () => null }
  const envelopeIds = new EnvelopeIds(key.reveal())
  return {
    envelopeIdOf: mail => (configuration.smtpDsn === 'off' ? null : envelopeIds.of(mail)),
    bounces: { envelopeIds, suppress: bouncesSuppress, byMessageId: bouncesByMessageId },
  }
}
