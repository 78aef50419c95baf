import { phrasePattern } from './phrase-pattern.ts'
import { builtInReplyRules } from './built-in-reply-rules.ts'
import type { ReplyClass, ReplyPhase, ReplyRule } from './reply-rule.ts'
import type { AsksForLess } from './sink.ts'
import type { SmtpReply } from './smtp-reply.ts'

interface CompiledRule {
  readonly rule: ReplyRule
  readonly patterns: readonly RegExp[] | undefined
}

/** The first rule that fits a reply says its class. */
export class ReplyTable {
  readonly #rules: readonly CompiledRule[]

  /** `own` rules come before the built-in ones. Throws CONFIGURATION_INVALID for a text that is no pattern. */
  constructor(own: readonly ReplyRule[] = []) {
    this.#rules = [...own, ...builtInReplyRules].map((rule: ReplyRule) => ({
      rule,
      patterns: rule.text?.map(phrasePattern),
    }))
  }

  /** Null for what is no negative reply: no rule makes one of a 2yz, or of garbage. */
  classOf(phase: ReplyPhase, reply: SmtpReply): ReplyClass | null {
    if (!isNegative(reply)) return null
    const byCode = reply.kind === 'deferred' ? 'temporary' : 'permanent'
    return this.#ruleFor(phase, reply)?.class ?? byCode
  }

  /** Whether the reply is about how much is sent. */
  asksForLess(phase: ReplyPhase, reply: SmtpReply): AsksForLess | null {
    const rule = isNegative(reply) ? this.#ruleFor(phase, reply) : undefined
    return rule?.asksForLess ?? (rule?.class === 'throttled' ? 'certain' : null)
  }

  #ruleFor(phase: ReplyPhase, reply: SmtpReply): ReplyRule | undefined {
    return this.#rules.find(each => fits(each, phase, reply))?.rule
  }
}

function isNegative({ kind }: SmtpReply): boolean {
  return kind === 'deferred' || kind === 'refused'
}

function fits(
  { rule, patterns }: CompiledRule,
  phase: ReplyPhase,
  { code, enhanced, text }: SmtpReply,
): boolean {
  return (
    (rule.phases?.includes(phase) ?? true) &&
    (rule.codes?.some(each => fitsCode(each, code)) ?? true) &&
    (rule.enhanced?.some(each => fitsEnhanced(each, enhanced)) ?? true) &&
    (patterns?.some(each => each.test(text)) ?? true)
  )
}

function fitsCode(pattern: string, code: string): boolean {
  return Array.from(pattern).every((digit, at) => /[yz]/.test(digit) || digit === code[at])
}

function fitsEnhanced(pattern: string, enhanced: string): boolean {
  const parts = enhanced.split('.')
  return (
    parts.length === 3 && pattern.split('.').every((each, at) => each === 'x' || each === parts[at])
  )
}
