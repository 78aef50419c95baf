import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { DotStuffing } from '../../src/sinks/dot-stuffing.ts'
import { writeBody } from '../../src/sinks/write-body.ts'

/** Takes one write at a time, when it is told to. */
class SlowSocket extends Writable {
  readonly received: Buffer[] = []
  #taken: () => void = () => undefined

  override _write(chunk: Buffer, _encoding: string, taken: () => void): void {
    this.received.push(chunk)
    this.#taken = taken
  }

  async take(): Promise<void> {
    const taken = this.#taken
    this.#taken = () => undefined
    taken()
    await new Promise(setImmediate)
  }
}

test('is not done before the last byte has left the socket', async () => {
  const socket = new SlowSocket()
  const bytes = Buffer.alloc(300_000, 'mail')

  let done = false
  const written = Promise.resolve(writeBody(bytes, new DotStuffing(), socket, () => false)).finally(
    () => (done = true),
  )
  await new Promise(setImmediate)
  while (Buffer.concat(socket.received).length < bytes.length) {
    expect(done).toBe(false)
    await socket.take()
  }
  const doneBeforeTheLast = done
  for (let turn = 0; turn < 10; turn += 1) await socket.take()

  expect(doneBeforeTheLast).toBe(false)
  expect(await written).toBe(true)
  expect(Buffer.concat(socket.received).equals(bytes)).toBe(true)
})

test('is not done while anything else waits to leave the socket', async () => {
  const socket = new SlowSocket()
  socket.write('DATA')

  let done = false
  const written = Promise.resolve(
    writeBody(Buffer.alloc(0), new DotStuffing(), socket, () => false),
  ).finally(() => (done = true))
  await new Promise(setImmediate)
  const doneBefore = done
  for (let turn = 0; turn < 10; turn += 1) await socket.take()

  expect(doneBefore).toBe(false)
  expect(await written).toBe(true)
})

test('a small body that the kernel takes at once is done at once', () => {
  const taken: Buffer[] = []
  const socket = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      taken.push(chunk)
      done()
    },
  })

  expect(writeBody(Buffer.from('mail'), new DotStuffing(), socket, () => false)).toBe(true)
  expect(taken.join('')).toBe('mail')
})

test('what fails as it is written is not done: whoever waits hears of the failure first', async () => {
  const socket = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) })
  let failed = false
  socket.on('error', () => (failed = true))

  const written = writeBody(Buffer.from('mail'), new DotStuffing(), socket, () => failed)

  expect(written).toBeInstanceOf(Promise)
  expect(await written).toBe(false)
})

test('stops when it is told to', async () => {
  const socket = new SlowSocket()

  expect(await writeBody(Buffer.alloc(300_000), new DotStuffing(), socket, () => true)).toBe(false)
  expect(socket.received).toEqual([])
})
