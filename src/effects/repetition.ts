import type { PreparedAttempt } from '../sinks/sink.ts'
import type { Delivery, DeliveryState, Doubt } from './delivery.ts'
import { dueTargets, markTargets } from './delivery.ts'

/** The other side may have counted from a little earlier than we did, and the last step comes up to 5 s after its check, milliseconds. */
const marginMs = 10_000

/**
 * The attempt in doubt that is to be repeated: its relay recognises repetitions, so sending it again tells what became of it and cannot
 * deliver it twice. It is repeated as it was, to the same targets alone, and before anybody else of the request is served.
 */
export function repetitionOf({ doubts, targets }: Delivery): Doubt | undefined {
  if (doubts.length === 0) return undefined
  const isPending = (target: string): boolean =>
    targets.some(each => each.target === target && each.status === 'pending')
  return doubts.find(
    ({ repeatUntilMs, targets: doubted }) => repeatUntilMs !== undefined && doubted.some(isPending),
  )
}

/** Whom the next try serves. */
export function nextTargets(delivery: Delivery, nowMs: number): readonly string[] {
  return repetitionOf(delivery)?.targets ?? dueTargets(delivery, nowMs)
}

const noRepetition = Object.freeze({})

/** What the state of an attempt says about repetitions: until when it may be repeated, and whether it is one. */
export function repeatability(
  delivery: Delivery,
  nowMs: number,
  repeatableForMs: number | undefined,
): Pick<DeliveryState & { kind: 'attempting' }, 'repeatUntilMs' | 'isRepetition'> {
  const { plan, firstDotMs } = delivery
  const mayRepeat = plan.inDoubt === 'hold' && plan.repeatable === true
  const isRepetition = repetitionOf(delivery) !== undefined
  if (!isRepetition && repeatableForMs === undefined) return noRepetition
  return {
    ...(mayRepeat && repeatableForMs !== undefined
      ? { repeatUntilMs: (firstDotMs ?? nowMs) + repeatableForMs - marginMs }
      : {}),
    ...(isRepetition ? { isRepetition } : {}),
  }
}

/** From then on the relay may have forgotten the attempt in doubt: it is held. */
export function isRepetitionOver(delivery: Delivery, nowMs: number): boolean {
  const repetition = repetitionOf(delivery)
  return repetition !== undefined && nowMs >= (repetition.repeatUntilMs ?? Infinity)
}

/** Nothing is repeated any more: the targets stay in doubt. */
export function held(delivery: Delivery, targets: readonly string[], reply: string): Delivery {
  const replies = targets.map(target => ({ target, reply }))
  return {
    ...delivery,
    targets: markTargets(delivery.targets, replies, 'unknown'),
    doubts: delivery.doubts.map(withoutRepetition),
  }
}

export function withoutRepetition({ token, targets, relay }: Doubt): Doubt {
  return { token, targets, ...(relay === undefined ? {} : { relay }) }
}

/** Why what was prepared is no repetition of the attempt in doubt and must not be performed as one; null where it is, or none is due. */
export function whyNoRepetition(delivery: Delivery, prepared: PreparedAttempt): string | null {
  const repetition = repetitionOf(delivery)
  if (repetition === undefined) return null
  const { accepted, contentHash, repeatableForMs, relay } = prepared
  if (repeatableForMs === undefined) return `${relay} is not declared to recognise repetitions`
  if (contentHash !== delivery.contentHash) return 'the bytes are not those of the attempt in doubt'
  const isSame = accepted.toSorted().join('\0') === repetition.targets.toSorted().join('\0')
  return isSame ? null : 'not all recipients of the attempt in doubt were accepted again'
}
