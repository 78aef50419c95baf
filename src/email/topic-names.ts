/** Names of the contract's topics. */
export const topicNames = Object.freeze({
  requested: 'email.requested',
  dedup: 'email.dedup',
  sent: 'email.sent',
  failed: 'email.failed',
  callback: 'email.callback',
  suppressed: 'email.suppressed',
  webhooksDisabled: 'email.webhooks-disabled',
  bounces: 'email.bounces',
  deadLetter: 'email.dead-letter',
})
