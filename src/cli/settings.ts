import { kafkaSettings } from './kafka-settings.ts'
import { limitsSection } from './limits-section.ts'
import {
  byteSize,
  durationMs,
  filePath,
  hostName,
  hostPorts,
  keyPins,
  listenAddress,
  onOff,
  oneOf,
  reachableAddress,
  scheduleMs,
  secretText,
  serverUrl,
  textLike,
  unitsMs,
  wholeNumber,
  type Parser,
} from './parsers.ts'
import { structured } from './structure.ts'
import { webhookSection } from './webhook-section.ts'
import { relayParsers } from './relay-parsers.ts'
import { relaySection } from './relay-section.ts'
import { retryClasses } from './retry-classes.ts'

/** One key of the configuration: everything that is known about it stands here and nowhere else. */
export interface Setting<T = unknown> {
  /** Where it stands in the configuration file. */
  readonly path: string
  /** Its flag, without the dashes; what has none comes from the environment or the file. */
  readonly flag?: string
  /** A path at which a plain value stands for this key. */
  readonly shorthand?: string
  readonly parser: Parser<T>
  /** As a user would write it; without one the value may be undefined. */
  readonly default?: string
  /** Shown instead of the default, where the default is not a fixed text. */
  readonly defaultText?: string
  readonly help: string
}

const bareAddress = textLike(
  'ADDRESS',
  /^[^\s@<>,;]{1,64}@[^\s@<>,;]{1,255}$/,
  'a bare address such as noreply@example.com',
)

export const settings = {
  kafka: {
    path: 'kafka.brokers',
    shorthand: 'kafka',
    flag: 'kafka',
    parser: hostPorts,
    default: '127.0.0.1:9092',
    help: 'Brokers to ask first; the others are learnt from them.',
  },
  schemaRegistry: {
    path: 'schema-registry',
    flag: 'schema-registry',
    parser: serverUrl('http', 'https'),
    default: 'http://127.0.0.1:8081',
    help: 'Schema registry with the Confluent interface; user:password@ is allowed.',
  },
  smtp: {
    path: 'smtp.url',
    shorthand: 'smtp',
    flag: 'smtp',
    parser: relayParsers.url,
    default: 'smtp://127.0.0.1:1025',
    help:
      'Relay. smtp:// uses STARTTLS when it is offered and does not check the certificate, smtps:// checks it; smtp.tls.policy says ' +
      'otherwise. user:password@ is allowed; it travels in clear text only to loopback or with --smtp-insecure-auth.',
  },
  applicationId: {
    path: 'application-id',
    flag: 'application-id',
    parser: textLike(
      'ID',
      /^(?!\.)[a-zA-Z0-9._-]{1,100}$/,
      '1 to 100 letters, digits, dots, dashes or underscores',
    ),
    default: 'mailonce',
    help: 'Names the consumer group, the internal topics and the transactional ids. Never change it: another name starts without memory.',
  },
  stateDir: {
    path: 'state-dir',
    flag: 'state-dir',
    parser: filePath('DIR'),
    default: './state',
    help: 'Stores, journal and instance id. Belongs to one live process; keep it over restarts.',
  },
  http: {
    path: 'http',
    flag: 'http',
    parser: listenAddress,
    default: '127.0.0.1:8080',
    help: 'Where /healthz, /readyz, /metrics and /requests are served; port 0 takes a free one and logs it. For status, cancel and in-doubt: the instance to ask.',
  },
  advertisedHttp: {
    path: 'advertised-http',
    flag: 'advertised-http',
    parser: reachableAddress,
    defaultText: 'the address of --http',
    help: 'Where the other instances, and people, reach what --http serves. Needed where instances run on several machines.',
  },
  from: {
    path: 'from',
    flag: 'from',
    parser: bareAddress,
    default: 'mailonce@localhost',
    help: 'Sender of requests that name none.',
  },
  inDoubt: {
    path: 'in-doubt',
    flag: 'in-doubt',
    parser: oneOf('hold', 'resend'),
    default: 'hold',
    help: 'What happens to a mail of which nobody can know whether the relay took it: reported and held, or sent again with the same Message-ID.',
  },
  dedupWindow: {
    path: 'dedup-window',
    flag: 'dedup-window',
    parser: durationMs({ min: unitsMs.s, max: 3650 * unitsMs.d }),
    default: '7d',
    help: 'How long a request is known again; older ones are refused as TOO_OLD.',
  },
  outcomesKept: {
    path: 'outcomes-kept',
    flag: 'outcomes-kept',
    parser: durationMs({ min: unitsMs.m, max: 3650 * unitsMs.d }),
    default: '2d',
    help: 'How much longer than that it is remembered how a request ended and whose mail it was: for duplicates that are read late, and for mails that come back.',
  },
  retry: {
    path: 'retry',
    flag: 'retry',
    parser: scheduleMs,
    default: '30m,30m,2h,3hx31',
    help: 'Delays before each retry; after the last one the request ends as RETRIES_EXHAUSTED. The default follows RFC 5321 section 4.5.4.1 over 4 days.',
  },
  retryClasses: {
    path: 'retry-classes',
    parser: structured(retryClasses),
    default: '[]',
    help: 'Rules that say what a reply of the relay means, before the built-in ones (docs/delivery.md).',
  },
  smtpRecipientsMax: {
    path: 'smtp.recipients-max',
    parser: relayParsers.recipientsMax,
    default: '100',
    help: 'Recipients of one transaction with the relay; a mail to more of them goes in several. A relay that takes fewer is remembered.',
  },
  smtpConnections: {
    path: 'smtp-connections',
    flag: 'smtp-connections',
    parser: wholeNumber({ min: 1, max: 1000 }),
    default: '20',
    help: 'Connections to the relay, of all workers of this instance together.',
  },
  smtpInsecureAuth: {
    path: 'smtp-insecure-auth',
    flag: 'smtp-insecure-auth',
    parser: onOff,
    default: 'false',
    help: 'Allows user and password in clear text to a relay that is not on loopback.',
  },
  smtpUsername: {
    path: 'smtp.username',
    parser: relayParsers.username,
    help: 'User at the relay, where it does not stand in the URL.',
  },
  smtpPassword: { path: 'smtp.password', parser: secretText, help: 'Password at the relay.' },
  smtpPasswordFile: {
    path: 'smtp.password-file',
    parser: filePath('FILE'),
    help: 'File with the password at the relay.',
  },
  smtpTokenFile: {
    path: 'smtp.token-file',
    parser: filePath('FILE'),
    help: 'File with an OAuth 2 access token for XOAUTH2, in place of the password. Read at each login: replace it before it expires.',
  },
  smtpAuthMechanism: {
    path: 'smtp.auth-mechanism',
    parser: relayParsers.authMechanism,
    defaultText: 'XOAUTH2 with a token, else PLAIN or LOGIN as the relay offers',
    help: 'How to log in to the relay.',
  },
  dkim: {
    path: 'dkim',
    parser: relayParsers.dkim,
    default: '{}',
    help: 'Keys that sign mail, by the domain of its sender: selector, key-file (PEM, RSA or Ed25519), and from when on (docs/delivery.md).',
  },
  smtpTlsPolicy: {
    path: 'smtp.tls.policy',
    shorthand: 'smtp.tls',
    parser: relayParsers.tlsPolicy,
    defaultText: 'required with smtps://, else opportunistic',
    help:
      'opportunistic: TLS when the relay offers it, certificate not checked. required: TLS or nothing, certificate checked. ' +
      'pinned: TLS or nothing, and the key of smtp.tls.pins or the CA of smtp.tls.ca-file. none: clear text.',
  },
  smtpTlsCaFile: {
    path: 'smtp.tls.ca-file',
    parser: filePath('FILE'),
    help: 'Certificates to trust, PEM, instead of the well-known ones; for required and pinned.',
  },
  smtpTlsPins: {
    path: 'smtp.tls.pins',
    parser: keyPins,
    help: 'SHA-256 of the public key of the relay (SubjectPublicKeyInfo, DER): one of them has to match; for pinned.',
  },
  smtpTlsServerName: {
    path: 'smtp.tls.server-name',
    parser: hostName,
    defaultText: 'the host of smtp.url',
    help: 'Name that the certificate of the relay has to bear; for required and for pinned with a CA.',
  },
  limits: {
    path: 'limits',
    parser: limitsSection,
    default: '{}',
    help:
      'How much recipient domains and sources may have, of all instances together, and what one instance keeps waiting: ' +
      'see [delivery.md](delivery.md#limits-and-priorities).',
  },
  dryRun: {
    path: 'dry-run',
    flag: 'dry-run',
    parser: onOff,
    default: 'false',
    help: 'Does everything but the final dot, so that nothing is sent. Works under the application id with -dry-run behind it, on topics on which nobody sends.',
  },
  redirectTo: {
    path: 'redirect-to',
    flag: 'redirect-to',
    parser: bareAddress,
    help: 'Every mail goes to this address alone; whom it was meant for stands in its header X-Mailonce-Original-Recipients.',
  },
  relays: {
    path: 'relays',
    parser: relaySection,
    help: 'Several relays in place of the smtp keys: see [delivery.md](delivery.md#relays).',
  },
  smtpDsn: {
    path: 'smtp.dsn',
    parser: oneOf('failure', 'off'),
    default: 'failure',
    help: 'Whether a relay that offers DSN (RFC 3461) is asked to report failures under the envelope id of the mail; needs bounces.key.',
  },
  bouncesKey: {
    path: 'bounces.key',
    parser: secretText,
    help: 'Signs envelope ids, 16 characters or more, the same for all instances. Without it no mail has one, and reports of mails that came back are not recognised.',
  },
  bouncesKeyFile: {
    path: 'bounces.key-file',
    parser: filePath('FILE'),
    help: 'File with the key of the envelope ids.',
  },
  lmtp: {
    path: 'bounces.lmtp',
    flag: 'lmtp',
    parser: listenAddress,
    help: 'Where reports of mails that came back are taken by LMTP, to be written to email.bounces; port 0 takes a free one and logs it. Off without it. Nobody is asked who they are: it belongs where only your own mail servers reach it.',
  },
  bouncesByMessageId: {
    path: 'bounces.by-message-id',
    parser: onOff,
    default: 'false',
    help: 'Recognises reports without an envelope id by the Message-ID of the mail that they return; they suppress nobody. Costs one record more for each mail.',
  },
  bouncesSuppress: {
    path: 'bounces.suppress',
    parser: oneOf('hard', 'none'),
    default: 'hard',
    help: 'Whose address a report puts on the suppression list: those that are gone for good (5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10, 5.2.1), or nobody.',
  },
  instanceId: {
    path: 'instance-id',
    flag: 'instance-id',
    parser: textLike(
      'ID',
      /^[a-zA-Z0-9._-]{1,100}$/,
      '1 to 100 letters, digits, dots, dashes or underscores',
    ),
    defaultText: 'a UUID kept in the state directory',
    help: 'Names this instance in its transactional ids. Two live owners of one id: the older one stops with a clear error.',
  },
  staticMembership: {
    path: 'static-membership',
    flag: 'static-membership',
    parser: onOff,
    default: 'false',
    help: 'Joins the group under the instance id, so that a quick restart moves no partition.',
  },
  guarantee: {
    path: 'guarantee',
    flag: 'guarantee',
    parser: oneOf('exactly-once', 'at-least-once'),
    default: 'exactly-once',
    help: 'at-least-once: no transactions. Nothing is lost, but after a death records may be written twice, and now and then a mail is sent twice (docs/operations.md).',
  },
  storeMemory: {
    path: 'store-memory',
    flag: 'store-memory',
    parser: byteSize({ min: 64_000_000, max: 1e12 }),
    default: '512MB',
    help: 'Memory of this process. A quarter of it is shared by the stores for write buffers and caches, however many tasks the instance has; filters and indexes take some six bytes a key besides.',
  },
  threads: {
    path: 'threads',
    flag: 'threads',
    parser: wholeNumber({ min: 1, max: 64 }),
    default: '1',
    help: 'Threads of this process (num.stream.threads): each is a member of the group with tasks of its own; one for each processor core that mailonce may use. They share the state directory, and divide connections and open requests.',
  },
  standbys: {
    path: 'standbys',
    flag: 'standbys',
    parser: wholeNumber({ min: 0, max: 10 }),
    default: '0',
    help: "Copies of each task's state that other instances keep up to date on their disks, so that one of them goes on in moments where an instance dies. Needs one instance more than copies; the group's leader decides for all.",
  },
  sessionTimeout: {
    path: 'session-timeout',
    flag: 'session-timeout',
    parser: durationMs({ min: unitsMs.s, max: 30 * unitsMs.m }),
    defaultText: '10s; 45s with --static-membership',
    help: 'After this time without a heartbeat the group goes on without this instance; it beats three times as often.',
  },
  shutdownTimeout: {
    path: 'shutdown-timeout',
    flag: 'shutdown-timeout',
    parser: durationMs({ min: 0, max: unitsMs.h }),
    default: '30s',
    help: 'Longest time to drain and leave after SIGTERM or SIGINT.',
  },
  logLevel: {
    path: 'log-level',
    flag: 'log-level',
    parser: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    help: 'Least important log lines to write.',
  },
  ...kafkaSettings,
  webhooks: {
    path: 'webhooks',
    parser: structured(webhookSection),
    default: '{}',
    help: 'Callbacks with a URL as signed webhooks (docs/delivery.md). Without a key none is sent, and each becomes a dead letter.',
  },
  config: {
    path: 'config',
    flag: 'config',
    parser: filePath('FILE'),
    help: 'YAML file with these keys.',
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settings

export const settingNames: readonly SettingName[] = Object.freeze(
  Object.keys(settings) as SettingName[],
)

/** The environment variable of a setting: from its flag where it has one, else from its path. */
export function environmentName(setting: Setting): string {
  return `MAILONCE_${(setting.flag ?? setting.path).toUpperCase().replaceAll(/[-.]/g, '_')}`
}
