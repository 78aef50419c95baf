/** What a report says of one recipient, field by field. */
export type StatusFields = Readonly<Record<string, string>>

export interface BounceMessageOptions {
  readonly envelopeId?: string | null
  readonly recipients?: readonly StatusFields[]
}

export const failedRecipient: StatusFields = {
  'Original-Recipient': 'rfc822;ada@example.org',
  'Final-Recipient': 'rfc822; ada@example.org',
  Action: 'failed',
  Status: '5.1.1',
  'Remote-MTA': 'dns; mx.example.org',
  'Diagnostic-Code': 'smtp; 550 5.1.1 <ada@example.org>: Recipient address rejected:\r\n    nobody',
}

/** A delivery status notification in the manner of RFC 3464, as Postfix writes them. */
export function bounceMessage({
  envelopeId = 'envelope-1',
  recipients = [failedRecipient],
}: BounceMessageOptions = {}): Buffer {
  const message = [
    'Reporting-MTA: dns; relay.example.org',
    ...(envelopeId === null ? [] : [`Original-Envelope-Id: ${envelopeId}`]),
    'X-Postfix-Queue-ID: 4Wq',
  ]
  const groups = recipients.map(fields =>
    Object.entries(fields).map(([name, value]) => `${name}: ${value}`),
  )
  const lines = [
    'From: MAILER-DAEMON@relay.example.org (Mail Delivery System)',
    'Subject: Undelivered Mail Returned to Sender',
    'To: noreply@example.com',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b/1"',
    'Message-Id: <bounce-1@relay.example.org>',
    '',
    '--b/1',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'I am sorry to have to inform you that your message could not be delivered.',
    '',
    '--b/1',
    'Content-Description: Delivery report',
    'Content-Type: message/delivery-status',
    '',
    ...message,
    ...groups.flatMap(group => [''].concat(group)),
    '',
    '--b/1',
    'Content-Type: text/rfc822-headers',
    '',
    'Message-ID: <original-1@example.com>',
    'Subject: Your invoice',
    '',
    '--b/1--',
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}
