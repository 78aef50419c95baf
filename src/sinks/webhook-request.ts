/** One event for one receiver. The body is fixed when the event is made: every try, of whatever release, carries the same bytes. */
export interface WebhookRequest {
  /** `webhook-id`: receivers drop repeats by it. */
  readonly eventId: string
  /** As the request gave it; it may be anything. */
  readonly url: string
  /** JSON. */
  readonly body: string
}
