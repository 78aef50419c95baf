import type { EmailRequested } from '../email/records.ts'

/** What a case publishes: requests, or bytes that are none. */
export interface DemoPlan {
  readonly requests: readonly EmailRequested[]
  /** Published under the case's id as they are. */
  readonly raw?: Buffer
  /** Published without a key into a partition that is not its own. */
  readonly misplaced?: boolean
}

/** One kind of request and how it must end. */
export interface DemoCase {
  readonly name: string
  /** In the words of `DemoObservations`. */
  readonly expected: string
  readonly plan: (least: EmailRequested, nowMs: number) => DemoPlan
}

const dayMs = 86_400_000
const callback = { context: { order: '4711' }, url: null }

const one =
  (change: Partial<EmailRequested>): DemoCase['plan'] =>
  least => ({
    requests: [{ ...least, ...change }],
  })

/** A case for every way a request can end. `dedupWindowMs` is the processor's. */
export function demoCases(dedupWindowMs: number): readonly DemoCase[] {
  return [...sentCases(), ...failedCases(dedupWindowMs)]
}

function sentCases(): readonly DemoCase[] {
  return [
    { name: 'good', expected: 'SENT, mailed once', plan: one({}) },
    {
      name: 'good, with callback',
      expected: 'SENT, mailed once, callback SENT',
      plan: one({ callback }),
    },
    {
      name: 'duplicate',
      expected: 'SENT, mailed once, callback SENT, callback DUPLICATE',
      plan: least => ({
        requests: [
          { ...least, callback },
          { ...least, callback },
        ],
      }),
    },
    {
      name: 'conflicting content',
      expected: 'SENT, FAILED CONFLICT, mailed once',
      plan: least => ({ requests: [least, { ...least, text: 'Something else.' }] }),
    },
    {
      name: 'written to a wrong partition',
      expected: 'SENT, mailed once',
      plan: least => ({ requests: [least], misplaced: true }),
    },
    {
      name: 'one of two recipients rejected',
      expected: 'SENT to 1 of 2, mailed once',
      plan: one({ to: ['carol@example.com', 'reject@example.com'] }),
    },
    {
      name: 'put off once',
      expected: 'SENT at try 2, mailed once',
      plan: one({ to: ['defer-once@example.com'] }),
    },
    {
      name: 'not before in 3 s',
      expected: 'SENT, mailed once, not early',
      plan: (least, nowMs) => ({ requests: [{ ...least, notBefore: nowMs + 3000 }] }),
    },
  ]
}

function failedCases(dedupWindowMs: number): readonly DemoCase[] {
  return [
    {
      name: 'rejected recipient',
      expected: 'FAILED REJECTED, not mailed',
      plan: one({ to: ['reject@example.com'] }),
    },
    {
      name: 'no answer after the dot',
      expected: 'FAILED IN_DOUBT, mailed once',
      plan: one({ to: ['drop@example.com'], inDoubt: 'HOLD' }),
    },
    {
      name: 'invalid address',
      expected: 'FAILED INVALID, not mailed',
      plan: one({ to: ['nobody'] }),
    },
    {
      name: 'too old',
      expected: 'FAILED TOO_OLD, not mailed',
      plan: (least, nowMs) => ({
        requests: [{ ...least, requestedAt: Math.max(0, nowMs - dedupWindowMs - dayMs) }],
      }),
    },
    {
      name: 'expired',
      expected: 'FAILED EXPIRED, not mailed',
      plan: (least, nowMs) => ({ requests: [{ ...least, expiresAt: nowMs - 1000 }] }),
    },
    {
      name: 'undecodable',
      expected: 'dead letter RECORD_UNDECODABLE, not mailed',
      plan: () => ({ requests: [], raw: Buffer.from('no Avro') }),
    },
  ]
}
