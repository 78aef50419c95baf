import { phrasePattern } from './phrase-pattern.ts'
import { builtInReplyRules } from './built-in-reply-rules.ts'
import type { ReplyClass, ReplyPhase, ReplyRule } from './reply-rule.ts'
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
    if (reply.kind !== 'deferred' && reply.kind !== 'refused') return null
    const found = this.#rules.find(each => fits(each, phase, reply))
    return found?.rule.class ?? (reply.kind === 'deferred' ? 'temporary' : 'permanent')
  }
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
