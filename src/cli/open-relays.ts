import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { MetricRegistry } from '../metrics.ts'
import type { Random } from '../random.ts'
import { checkRelays } from '../sinks/check-relays.ts'
import type { DkimOptions } from '../sinks/dkim-key.ts'
import type { Idempotency } from '../sinks/idempotency.ts'
import { asciiDomain } from '../sinks/mail-address.ts'
import type { Relay } from '../sinks/relay.ts'
import { RelayRouter } from '../sinks/relay-router.ts'
import type { SmtpSinkOptions } from '../sinks/smtp-options.ts'
import { SmtpSink } from '../sinks/smtp-sink.ts'
import { parseSmtpUrl } from '../sinks/smtp-url.ts'
import type { Configuration } from './configuration.ts'
import { relayOfSmtp, type RelayOptions, relayOptions } from './relay-options.ts'

/** A relay as configured, its files read. */
export interface ConfiguredRelay extends Omit<Relay, 'sink'> {
  /** Its URL without user and password. */
  readonly display: string
  readonly options: RelayOptions
  readonly connections: number
  readonly idempotency: Idempotency | undefined
}

/** The relays of the section `relays`, or the one of `smtp`. Throws CONFIGURATION_INVALID, naming the place. */
export async function configuredRelays(
  configuration: Configuration,
): Promise<readonly ConfiguredRelay[]> {
  const { relays } = configuration
  if (relays === undefined) return [await onlyRelay(configuration)]
  const entries = [...relays].map(async ([name, relay]): Promise<ConfiguredRelay> => {
    const options = await relayOptions(`relays.${name}`, relay)
    const { idempotency } = relay
    return {
      name,
      display: relay.url.display,
      address: parseSmtpUrl(options.url).name,
      options,
      connections: relay.connections,
      weight: relay.weight,
      perSecond: relay.perSecond,
      senderDomains: new Set(relay.senderDomains.map(each => asciiDomain(each).toLowerCase())),
      tags: new Set(relay.tags),
      formerly: new Set(relay.formerly),
      idempotency: idempotency && { header: idempotency.header, ttlMs: idempotency.ttl },
    }
  })
  const all = await Promise.all(entries)
  checkRelays(all)
  return all
}

async function onlyRelay(configuration: Configuration): Promise<ConfiguredRelay> {
  const options = await relayOptions('smtp', relayOfSmtp(configuration))
  const address = parseSmtpUrl(options.url).name
  return {
    name: address,
    display: configuration.smtp.display,
    address,
    options,
    connections: configuration.smtpConnections,
    weight: 1,
    // `limits.relay` is for the only one.
    perSecond: Infinity,
    senderDomains: new Set(),
    tags: new Set(),
    formerly: new Set(),
    idempotency: undefined,
  }
}

export interface RouterParts {
  readonly from: string
  /** Whichever relay takes a mail, it is signed alike. */
  readonly dkim: DkimOptions
  readonly replyRules: Configuration['retryClasses']
  /** Names mails in the reports about them: see SmtpSinkOptions. */
  readonly envelopeIdOf?: NonNullable<SmtpSinkOptions['envelopeIdOf']>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: MetricRegistry
  /** Whether a relay that asks for less gets less for a while. */
  readonly isAdaptive: boolean
}

/** Closing the router closes the sinks. */
export function openRouter(relays: readonly ConfiguredRelay[], parts: RouterParts): RelayRouter {
  const { dkim, replyRules, envelopeIdOf, ...shared } = parts
  const { from, clock, log } = shared
  const opened = relays.map(({ options, connections: connectionsMax, idempotency, ...relay }) => ({
    ...relay,
    sink: new SmtpSink({
      ...options,
      from,
      dkim,
      connectionsMax,
      replyRules,
      clock,
      log,
      ...(idempotency && { idempotency }),
      ...(envelopeIdOf && { envelopeIdOf }),
    }),
  }))
  return new RelayRouter({ relays: opened, ...shared })
}
