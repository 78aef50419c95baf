import { authMechanisms } from '../sinks/smtp-auth.ts'
import { tlsPolicies } from '../sinks/smtp-tls.ts'
import { dkimShape } from './dkim-options.ts'
import { oneOf, serverUrl, textLike, wholeNumber } from './parsers.ts'
import { structured } from './structure.ts'

/** What is read alike for the relay of `smtp` and for one of several. */
export const relayParsers = Object.freeze({
  url: serverUrl('smtp', 'smtps'),
  username: textLike('NAME', /^[^\0\r\n]+$/, 'a user name'),
  authMechanism: oneOf(...authMechanisms),
  recipientsMax: wholeNumber({ min: 1, max: 10_000 }),
  tlsPolicy: oneOf(...tlsPolicies),
  dkim: structured(dkimShape),
})
