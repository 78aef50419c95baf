import type { Argument, Command, Flag } from './command.ts'
import type { SettingName } from './settings.ts'

const toAsk: readonly SettingName[] = ['http', 'config']
const toDecide: readonly SettingName[] = ['http', 'kafka', 'applicationId', 'config']
const toSuppress: readonly SettingName[] = ['kafka', 'schemaRegistry', 'config']
const toDisable: readonly SettingName[] = ['kafka', 'config']
const toReplay: readonly SettingName[] = ['kafka', 'applicationId', 'config']

const request: Argument = { placeholder: 'SOURCE/REQUESTID' }
const address: Argument = { placeholder: 'ADDRESS' }
const url: Argument = { placeholder: 'URL' }
const deadLetter: Argument = { placeholder: 'PARTITION/OFFSET' }
const json: Flag = { help: 'As JSON, one object a line.' }
const audit: Readonly<Record<string, Flag>> = {
  why: { placeholder: 'TEXT', help: 'The reason, for the audit.' },
  by: {
    placeholder: 'NAME',
    help: 'Who decides, for the audit. Default: the user of this session.',
  },
}
const slash =
  'The first slash separates source and request id; a slash within the source is written as %2F, a percent sign as %25.'

/** Commands for people who look after what runs. */
export const operatorCommands: readonly Command[] = Object.freeze([
  {
    name: 'status',
    summary: 'tells how a request stands',
    description: [
      'Asks the instance at --http; where another one owns the request it says so, and that one is asked.',
      slash,
    ],
    argument: request,
    settings: toAsk,
    flags: { json },
    load: async () => (await import('./status-command.ts')).statusCommand,
  },
  {
    name: 'cancel',
    summary: 'takes a request back that has not been handed to the relay',
    description: [
      'Honoured while the request is queued, waits for its time or a retry, or is being prepared; it ends as CANCELLED. From the moment its mail is handed over nobody can take it back.',
      slash,
    ],
    argument: request,
    settings: toDecide,
    flags: audit,
    load: async () => (await import('./cancel-command.ts')).cancelCommand,
  },
  {
    name: 'in-doubt list',
    summary: 'lists requests of which nobody knows whether the relay took them',
    description: ['Asks every instance that runs; the oldest come first.'],
    settings: toAsk,
    flags: { json },
    load: async () => (await import('./in-doubt-commands.ts')).inDoubtListCommand,
  },
  {
    name: 'in-doubt show',
    summary: 'shows one of them',
    description: [slash],
    argument: request,
    settings: toAsk,
    flags: { json },
    load: async () => (await import('./in-doubt-commands.ts')).inDoubtShowCommand,
  },
  {
    name: 'in-doubt resolve',
    summary: 'says what became of one of them, or has it sent again',
    description: [
      'Once for each: its end is revised by one more outcome and one more callback. Who decided is kept with it.',
      slash,
    ],
    argument: request,
    settings: toDecide,
    flags: {
      sent: { help: 'The relay took it: ends as sent.' },
      resend: { help: 'Is sent again, with the same Message-ID, and ends by what comes of that.' },
      fail: { help: 'The relay did not take it, and it is not sent again: ends as CANCELLED.' },
      ...audit,
    },
    load: async () => (await import('./in-doubt-commands.ts')).inDoubtResolveCommand,
  },
  {
    name: 'dead-letters list',
    summary: 'lists what could not be decoded or processed',
    description: ['Reads email.dead-letter from its start; needs no instance.'],
    settings: toReplay,
    flags: { json },
    load: async () => (await import('./dead-letter-commands.ts')).deadLettersListCommand,
  },
  {
    name: 'dead-letters show',
    summary: 'shows one dead letter with its headers and bytes',
    description: ['Bytes are printed in base64.'],
    argument: deadLetter,
    settings: toReplay,
    flags: {},
    load: async () => (await import('./dead-letter-commands.ts')).deadLettersShowCommand,
  },
  {
    name: 'dead-letters replay',
    summary: 'writes one dead letter to where it came from, once',
    description: [
      'The original bytes and headers, and a header replayed.from that names the dead letter. A dead letter that was replayed is refused.',
    ],
    argument: deadLetter,
    settings: toReplay,
    flags: {
      again: { help: 'Although it was replayed before.' },
      by: audit['by']!,
    },
    load: async () => (await import('./dead-letter-commands.ts')).deadLettersReplayCommand,
  },
  {
    name: 'suppress add',
    summary: 'has an address get no mail any more',
    description: [
      'Writes to email.suppressed, which every instance reads; an entry that is there is replaced. It counts from the next try of every request on: what has been handed to the relay is not taken back.',
    ],
    argument: address,
    settings: toSuppress,
    flags: {
      reason: {
        placeholder: 'manual|complaint|unsubscribed|hard-bounce',
        help: 'Stands in the outcome. Default: manual.',
      },
      ...audit,
    },
    load: async () => (await import('./suppress-commands.ts')).suppressAddCommand,
  },
  {
    name: 'suppress remove',
    summary: 'has a suppressed address get mail again',
    description: ['Requests that were refused in the meantime stay refused.'],
    argument: address,
    settings: toSuppress,
    flags: {},
    load: async () => (await import('./suppress-commands.ts')).suppressRemoveCommand,
  },
  {
    name: 'suppress list',
    summary: 'lists the addresses that get no mail',
    description: ['Reads email.suppressed from its start; needs no instance.'],
    settings: toSuppress,
    flags: { json },
    load: async () => (await import('./suppress-commands.ts')).suppressListCommand,
  },
  {
    name: 'webhooks list',
    summary: 'lists the URLs that get no webhooks any more',
    description: [
      'A receiver that answers 410 disables its URL. Reads email.webhooks-disabled from its start; needs no instance.',
    ],
    settings: toDisable,
    flags: { json },
    load: async () => (await import('./webhook-commands.ts')).webhooksListCommand,
  },
  {
    name: 'webhooks enable',
    summary: 'has a disabled URL get webhooks again',
    description: [
      'What was refused in the meantime is in the dead letters: mailonce dead-letters replay sends it.',
    ],
    argument: url,
    settings: toDisable,
    flags: {},
    load: async () => (await import('./webhook-commands.ts')).webhooksEnableCommand,
  },
  {
    name: 'webhooks disable',
    summary: 'has a URL get no webhooks any more',
    description: ['It counts from the next try of every webhook on.'],
    argument: url,
    settings: toDisable,
    flags: audit,
    load: async () => (await import('./webhook-commands.ts')).webhooksDisableCommand,
  },
] satisfies readonly Command[])
