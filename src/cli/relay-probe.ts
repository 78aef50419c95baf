import { connect } from 'node:net'
import { describeError, StreamsError } from '../errors.ts'
import { parseSmtpUrl } from '../sinks/smtp-url.ts'

const patienceMs = 10_000

/**
 * Opens a connection to the relay and closes it: an operator should learn of a wrong address when it is configured, not with
 * the first mail. Throws RELAY_UNAVAILABLE, naming the relay.
 */
export async function probeRelay(url: string): Promise<void> {
  const { host, port, name } = parseSmtpUrl(url)
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port, timeout: patienceMs })
    const fail = (why: string): void => {
      socket.destroy()
      const message = `no connection to the relay ${name} (${why}): requests wait until it answers`
      reject(new StreamsError('RELAY_UNAVAILABLE', message))
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('timeout', () => fail(`no answer within ${patienceMs / 1000} s`))
    socket.once('error', error => fail(describeError(error)))
  })
}
