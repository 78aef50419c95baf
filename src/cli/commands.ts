import type { Command, Flag } from './command.ts'
import { operatorCommands } from './operator-commands.ts'
import { settingNames, type SettingName } from './settings.ts'

const devSettings: readonly SettingName[] = [
  'http',
  'from',
  'inDoubt',
  'dedupWindow',
  'retry',
  'smtpConnections',
  'sessionTimeout',
  'shutdownTimeout',
  'logLevel',
  'config',
]

const sendFlags: Readonly<Record<string, Flag>> = {
  file: { placeholder: 'FILE', help: 'Requests as newline-delimited JSON; - is standard input.' },
  to: { placeholder: 'ADDRESS', multiple: true, help: 'Recipient; may be given more than once.' },
  cc: {
    placeholder: 'ADDRESS',
    multiple: true,
    help: 'Recipient of a copy; may be given more than once.',
  },
  bcc: {
    placeholder: 'ADDRESS',
    multiple: true,
    help: 'Recipient of a blind copy; may be given more than once.',
  },
  from: { placeholder: 'ADDRESS', help: "Sender; without it the processor's own." },
  'reply-to': { placeholder: 'ADDRESS', help: 'Where answers go.' },
  subject: { placeholder: 'TEXT', help: 'Subject.' },
  text: { placeholder: 'TEXT', help: 'Body as plain text.' },
  html: { placeholder: 'HTML', help: 'Body as HTML; with --text both are sent as alternatives.' },
  header: {
    placeholder: 'NAME=VALUE',
    multiple: true,
    help: 'Header of the mail; may be given more than once.',
  },
  attach: {
    placeholder: 'FILE',
    multiple: true,
    help: 'File to attach; may be given more than once.',
  },
  source: {
    placeholder: 'NAME',
    help: 'System that asks; with --file for lines that name none. Default of a single request: mailonce-send.',
  },
  'request-id': { placeholder: 'ID', help: 'Identity within the source; a UUID when left out.' },
  priority: { placeholder: 'HIGH|NORMAL|BULK', help: 'What goes first.' },
  'not-before': {
    placeholder: 'TIME',
    help: 'Not sent earlier: ISO 8601, or milliseconds since the epoch.',
  },
  'expires-at': { placeholder: 'TIME', help: 'Not sent from then on.' },
  'in-doubt': {
    placeholder: 'hold|resend',
    help: 'What to do when nobody can know whether the relay took it.',
  },
  callback: { help: 'Asks for a callback, without context.' },
  'callback-context': {
    placeholder: 'KEY=VALUE',
    multiple: true,
    help: 'Asks for a callback that returns this; may be given more than once.',
  },
  'unsubscribe-url': {
    placeholder: 'URL',
    help: 'Where the receiver unsubscribes: makes List-Unsubscribe.',
  },
  'unsubscribe-mailto': {
    placeholder: 'ADDRESS',
    help: 'Where the receiver unsubscribes by mail; ?subject=… may follow.',
  },
  'unsubscribe-one-click': {
    help: 'A POST to the URL unsubscribes (RFC 8058): makes List-Unsubscribe-Post.',
  },
  'callback-url': {
    placeholder: 'URL',
    help: 'Asks for a callback, and for a signed webhook to this URL beside the record in email.callback.',
  },
}

/** Every command, in the order of the help page. */
export const commands: readonly Command[] = Object.freeze([
  {
    name: 'run',
    summary: 'runs one processor instance until SIGTERM or SIGINT',
    description: [
      'Joins the group, restores its stores, mails what is requested. A first SIGTERM or SIGINT drains and leaves within --shutdown-timeout, a second one ends the process at once.',
      'Brokers, registry and relay may be away at the start: it waits for them, unready.',
    ],
    settings: settingNames,
    flags: {
      'accept-lost-state': {
        help: 'Starts with empty stores although the group has read before. Requests that were mailed before will be mailed again if they come again.',
      },
      'take-over': {
        help: 'Starts under a new application id although another one has accepted requests from these topics. What the topics still hold is mailed again.',
      },
    },
    load: async () => (await import('./run-command.ts')).runCommand,
  },
  {
    name: 'dev',
    summary: 'starts Kafka, Schema Registry, an SMTP inbox and the processor on this machine',
    description: [
      'Needs a container engine, or Java 17 and Maven. Everything is made anew and is gone after Ctrl-C.',
      'With --demo: publishes a request of every kind, waits for every outcome, prints them as a table, stops everything, and ends with 0 only if each was as expected.',
    ],
    settings: devSettings,
    flags: { demo: { help: 'Shows every kind of outcome, then stops.' } },
    load: async () => (await import('./dev-command.ts')).devCommand,
  },
  {
    name: 'send',
    summary: 'publishes requests',
    description: [
      'One request from flags, or many as newline-delimited JSON from --file or standard input: plain values, bytes in base64, times as ISO 8601 or milliseconds, requestId a UUID when left out. Prints the request ids.',
      'A file is published only if all of its lines are right; of standard input each line is checked and published as it comes.',
      'An id that is made anew at each run cannot be recognised: name the ids where a file may be sent twice.',
    ],
    // `from` and `in-doubt` are a request's own here.
    settings: settingNames.filter(name => name !== 'from' && name !== 'inDoubt'),
    flags: sendFlags,
    load: async () => (await import('./send-command.ts')).sendCommand,
  },
  {
    name: 'topics create',
    summary: 'creates the topics that are missing and checks those that exist',
    description: [
      'Changes nothing that exists: differences are named, and end with 1 where they break a promise.',
    ],
    settings: settingNames,
    flags: {
      partitions: { placeholder: 'N', help: 'Partitions of topics that are made. Default: 6.' },
      'replication-factor': {
        placeholder: 'N',
        help: "Replicas of topics that are made. Default: the broker's.",
      },
    },
    load: async () => (await import('./topics-command.ts')).topicsCreateCommand,
  },
  {
    name: 'schemas register',
    summary: 'registers the schemas and their compatibility rule',
    description: ['Does nothing where they are registered already.'],
    settings: settingNames,
    flags: {},
    load: async () => (await import('./schemas-command.ts')).schemasRegisterCommand,
  },
  {
    name: 'schemas check',
    summary: 'checks the schemas against the registry without changing it',
    description: ['For a build: ends with 1 when the registry would refuse one of them.'],
    settings: settingNames,
    flags: {},
    load: async () => (await import('./schemas-command.ts')).schemasCheckCommand,
  },
  {
    name: 'topology',
    summary: 'prints the topology',
    description: [],
    settings: [],
    flags: {
      format: {
        placeholder: 'text|mermaid',
        help: 'As text, or as a Mermaid diagram. Default: text.',
      },
    },
    load: async () => (await import('./topology-command.ts')).topologyCommand,
  },
  ...operatorCommands,
])
