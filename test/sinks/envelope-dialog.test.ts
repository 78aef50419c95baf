import { expect, test } from 'vitest'
import { type DialogEnvelope, EnvelopeDialog } from '../../src/sinks/envelope-dialog.ts'

function dialog(offered: readonly string[], change: Partial<DialogEnvelope> = {}) {
  const writes: string[] = []
  const link = {
    offers: (extension: string) => offered.includes(extension),
    write: (text: string) => void writes.push(text),
  }
  const asked = { from: 'a@x', to: ['b@x', 'c@x'], size: 47, envelopeId: null }
  const envelope = { ...asked, eightBit: false, smtpUtf8: false }
  const made = new EnvelopeDialog(link, { ...envelope, ...change })
  const began = made.begin()
  const steps = (...replies: readonly string[]): unknown[] =>
    replies.map(each => made.take(each)).map(step => (typeof step === 'string' ? step : step.at))
  return { writes, began, made, steps }
}

test('with PIPELINING everything is one write', () => {
  const { writes, steps, made } = dialog(['PIPELINING'])

  expect(writes).toEqual(['MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n'])
  expect(steps('250 a', '550 b', '250 c', '354 d')).toEqual(['wait', 'wait', 'wait', 'go'])
  expect(made.accepted).toEqual(['c@x'])
  expect(made.rejected.map(each => each.recipient)).toEqual(['b@x'])
})

test('without, one command follows the reply to the one before', () => {
  const { writes, steps } = dialog([])

  expect(steps('250 a', '250 b', '450 c', '354 d')).toEqual(['wait', 'wait', 'wait', 'go'])
  expect(writes).toEqual([
    'MAIL FROM:<a@x>\r\n',
    'RCPT TO:<b@x>\r\n',
    'RCPT TO:<c@x>\r\n',
    'DATA\r\n',
  ])
})

test('without PIPELINING nobody is asked for a body that nobody gets', () => {
  const { writes, steps } = dialog([])

  expect(steps('250 a', '550 b', '550 c')).toEqual(['wait', 'wait', 'recipients'])
  expect(writes).not.toContain('DATA\r\n')
})

test('the message that nobody gets is ended empty where the relay asks for it', () => {
  const { writes, steps } = dialog(['PIPELINING'])

  const said = steps('250 a', '550 b', '550 c', '354 d')

  expect(said).toEqual(['wait', 'wait', 'wait', 'wait'])
  expect(writes.at(-1)).toBe('.\r\n')
  expect(steps('554 nobody')).toEqual(['recipients'])
})

test('who refuses the sender and asks for a body is left without one', () => {
  const { writes, steps, made } = dialog(['PIPELINING'])

  expect(steps('550 a', '503 b', '503 c')).toEqual(['wait', 'wait', 'wait'])
  expect(made.take('354 d')).toMatchObject({ at: 'mail', reuse: 'drop', reply: { code: '550' } })
  expect(writes).toHaveLength(1)
})

test('one who is put off speaks for all who are refused', () => {
  const { made, steps } = dialog(['PIPELINING'])
  steps('250 a', '450 b', '550 c')

  expect(made.take('554 d')).toMatchObject({ at: 'recipients', reply: { code: '450' } })
})

test.each([
  { replies: ['421 bye'], at: 'mail' },
  { replies: ['250 a', '421 bye'], at: 'connection' },
  { replies: ['250 a', '250 b', '250 c', '421 bye'], at: 'data' },
])('421 ends it wherever it comes: $replies', ({ replies, at }) => {
  const { made, steps } = dialog(['PIPELINING'])
  steps(...replies.slice(0, -1))

  const step = made.take(replies.at(-1)!)

  expect(step).toMatchObject({ at, reply: { closing: true }, reuse: 'drop' })
})

test('a 250 to DATA is no go-ahead', () => {
  const { made, steps } = dialog(['PIPELINING'], { to: ['b@x'] })
  steps('250 a', '250 b')

  expect(made.take('250 c')).toMatchObject({ at: 'data', reply: null, reuse: 'drop' })
})

test('where replies are one behind nobody is refused by that of another', () => {
  const { made, steps } = dialog(['PIPELINING'])
  steps('250 of before', '250 a', '550 b')

  expect(made.take('250 c')).toMatchObject({ at: 'data', reply: null, reuse: 'drop' })
  expect(made.rejected).toEqual([])
})

test('parameters are those that the relay offers', () => {
  const change = { from: 'ä@x', to: ['b+1@x'], eightBit: true, envelopeId: 'id=1' }
  const all = dialog(['SMTPUTF8', '8BITMIME', 'SIZE', 'DSN', 'PIPELINING'], change)
  const none = dialog(['PIPELINING'], change)

  expect(all.writes[0]?.split('\r\n').slice(0, 2)).toEqual([
    'MAIL FROM:<ä@x> SMTPUTF8 BODY=8BITMIME SIZE=47 RET=HDRS ENVID=id+3D1',
    'RCPT TO:<b+1@x> NOTIFY=FAILURE ORCPT=rfc822;b+2B1@x',
  ])
  expect(none.writes[0]?.split('\r\n').slice(0, 2)).toEqual(['MAIL FROM:<ä@x>', 'RCPT TO:<b+1@x>'])
})

test.each(['b@x>\r\nRCPT TO:<c@x', 'b@x\n', 'b>@x', ''])(
  'an address that could end its command is not written: %j',
  recipient => {
    const { writes, began } = dialog(['PIPELINING'], { to: ['b@x', recipient] })

    expect(began).toMatchObject({ at: 'connection', reuse: 'drop' })
    expect(writes).toEqual([])
  },
)
