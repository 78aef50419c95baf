/** How sure it is that a reply asks for less traffic: one that is `likely` to may be about its request alone, and counts where it is heard again and again. */
export type AsksForLess = 'certain' | 'likely'

/** What a "not now" says beside that. */
export interface Postponement {
  /** The other side's own "try again in N", milliseconds: no earlier. */
  readonly retryAfterMs?: number
  /** It is about how much is sent to whoever said it: a target's reply speaks for where the target is, other replies for the other side as a whole. */
  readonly asksForLess?: AsksForLess
}

/** How one target of a request (for mail: one recipient) has fared so far. */
export interface TargetReply extends Postponement {
  readonly target: string
  /** As the other side said it: code, enhanced code and text in one line. */
  readonly reply: string
}

/** One try of one request. */
export interface SinkAttempt<Request> {
  readonly request: Request
  /** Only these: others are settled already. */
  readonly targets: readonly string[]
  /** Identifies the effect to the other side on every try of it, if the request does not do so itself: (source, request id) as one text. */
  readonly identity: string
  /** When the request was first seen, milliseconds: with it and the request the bytes of every try are the same. */
  readonly firstSeenMs: number
  /** Who was asked by the last try, as its result named it; null before the first. Who can choose asks the same again. */
  readonly lastRelay: string | null
  /** While nobody knows what became of an earlier try: whom it went to, and nobody else may be asked. */
  readonly onlyRelay: string | null
}

/**
 * What is known after the only step that cannot be undone. `done`, `refused` and `deferred` are facts, read from the
 * other side. `unknown`: the step was taken and no answer can be had any more. `abandoned`: the step was certainly
 * not taken.
 */
export type OutcomeKind = 'done' | 'refused' | 'deferred' | 'unknown' | 'abandoned'

/** What an outcome says of the next try. */
export interface OutcomeNotes extends Postponement {
  /** Of `deferred`: it is about the other side as a whole, and says nothing of this request. */
  readonly unavailable?: boolean
}

export interface Outcome extends OutcomeNotes {
  readonly kind: OutcomeKind
  readonly reply: string
  /** With `unavailable`: milliseconds until somebody's turn may come; 0 where others behind the same sink are in reach. */
  readonly retryInMs?: number
}

/** The notes alone, as far as they can be what they should be: they may come from a disk or a topic. */
export function notesOf({ retryAfterMs, unavailable }: OutcomeNotes): OutcomeNotes {
  return {
    ...(Number.isFinite(retryAfterMs) ? { retryAfterMs: Number(retryAfterMs) } : {}),
    ...(unavailable === true ? { unavailable } : {}),
  }
}

/** Everything that can be undone has been done, and the other side waits for the last step. */
export interface PreparedAttempt {
  readonly kind: 'prepared'
  /** Targets the last step will serve; at least one. Those in no list were left for a further attempt, at once. */
  readonly accepted: readonly string[]
  /** Targets refused for good, and targets to be tried again later, before the last step. */
  readonly refused: readonly TargetReply[]
  readonly deferred: readonly TargetReply[]
  /** Identifies the message to the other side on every try (for mail: the Message-ID). */
  readonly messageId: string
  /** SHA-256 of the bytes, hex: shows that a repeated try is byte-equal. Without what is added for one relay alone. */
  readonly contentHash: string
  /** Who was asked (for mail: `host:port`). */
  readonly relay: string
  /** The other side recognises a repetition for the same `accepted`, and does not deliver it twice, for so long after the first, milliseconds. */
  readonly repeatableForMs?: number
  /**
   * Takes the step that cannot be undone, right after `mayPerform()` returned true: nothing is awaited between the two. When it
   * returns false the attempt is abandoned. Never rejects. Resolves when the other side has answered, the connection
   * has closed (`unknown`, at once) or has been silent for 10 minutes (RFC 5321 4.5.3.2.6).
   */
  perform(mayPerform: () => boolean): Promise<Outcome>
  /** Takes the step never. Does nothing after `perform`. */
  abandon(): void
  /** Resolves when the other side has given up before `perform` was called (closed, 421, time-out): the attempt is lost, nothing happened. */
  readonly lost: Promise<string>
}

/** The try ended before the last step: nothing was delivered by it. */
export interface FailedAttempt extends Postponement {
  readonly kind: 'failed'
  /** Whether the other side saw the request at all (for mail: the try reached MAIL). Only such tries count. */
  readonly reached: boolean
  readonly refused: readonly TargetReply[]
  readonly deferred: readonly TargetReply[]
  /** True when the other side as a whole was out of reach or is closing (no connection, 421, no login): the engine slows down for all requests. */
  readonly unavailable: boolean
  /**
   * Nobody was asked, because those who may be are out of reach: this request's turn comes again after so many milliseconds. With
   * `unavailable` nobody's turn comes before that.
   */
  readonly retryInMs?: number
  /** Nobody was asked, because this relay has no room: `rooms` of the sink tell when it has. */
  readonly noRoomAt?: string
  /** The reason in one line, for targets that are in neither list: they are tried again. */
  readonly reply: string
  readonly messageId: string
  readonly relay: string
}

/** Room that each of the relays behind a sink has of its own, by its name. Whoever finds none is told when to look again. */
export interface RelayRooms {
  /** At least one relay has room. */
  readonly hasRoom: boolean
  /** Tries that may begin at the relay; Infinity while it is out of reach, because others may be asked instead. */
  roomAt(relay: string): number
  /** Called whenever a relay may have room. */
  onRoom(listener: (relay: string) => void): void
}

/**
 * The outside world behind an effect. `prepare` does everything that can be undone and stops before what cannot be;
 * `PreparedAttempt.perform` is that one step. It never rejects for what the other side does, and never repeats by itself.
 */
export interface Sink<Request> extends AsyncDisposable {
  /** Tries that may be under way at once, prepared ones and performed ones without an answer included. */
  readonly concurrencyMax: number
  /** Where requests wait for one of several: the sink as a whole takes `concurrencyMax` all the same. */
  readonly rooms?: RelayRooms | undefined
  /** Of rates that count for all instances together, what this one may use: above 0, at most 1. Before the first call: all. */
  setShare?(share: number): void
  /** Waits for a free connection; `signal` ends it as a failed attempt with `reached: false`. */
  prepare(
    attempt: SinkAttempt<Request>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt>
  close(): Promise<void>
}
