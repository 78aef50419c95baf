import { connect } from 'node:net'
import { describeError } from '../errors.ts'

const patienceMs = 10_000

/** Opens a TCP connection and closes it. Rejects with the reason in a few words. */
export async function reach(host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port, timeout: patienceMs })
    const fail = (why: string): void => {
      socket.destroy()
      reject(new Error(why))
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('timeout', () => fail(`no answer within ${patienceMs / 1000} s`))
    socket.once('error', error => fail(describeError(error)))
  })
}
