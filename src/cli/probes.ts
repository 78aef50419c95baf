import { describeError, StreamsError } from '../errors.ts'
import { parseSmtpUrl } from '../sinks/smtp-url.ts'
import { type HostPort, hostPortText } from './parsers.ts'
import { reach } from './reach.ts'

// An operator should learn of a wrong address when it is configured: not with the first mail, and not when the patience
// of the first request to a broker has run out.

/** Throws RELAY_UNAVAILABLE, naming the relay, when nobody answers there. */
export async function probeRelay(url: string): Promise<void> {
  const { host, port, name } = parseSmtpUrl(url)
  await reach(host, port).catch((error: unknown) => {
    const message = `no connection to the relay ${name} (${describeError(error)}): requests wait until it answers`
    throw new StreamsError('RELAY_UNAVAILABLE', message)
  })
}

/** Throws BROKER_UNAVAILABLE, naming the brokers, when none of them answers. */
export async function probeBrokers(brokers: readonly HostPort[]): Promise<void> {
  const answers = await Promise.allSettled(brokers.map(({ host, port }) => reach(host, port)))
  if (answers.some(answer => answer.status === 'fulfilled')) return
  const reasons = answers.flatMap(answer =>
    answer.status === 'rejected' ? [describeError(answer.reason)] : [],
  )
  throw new StreamsError(
    'BROKER_UNAVAILABLE',
    `no connection to the brokers ${brokers.map(hostPortText).join(', ')} (${reasons.join('; ')}): waiting until one answers`,
  )
}
