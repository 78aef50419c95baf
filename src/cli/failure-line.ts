import { errorCodeOf, type ErrorCode } from '../errors.ts'

/** What to do, where the error itself cannot know what the user has to touch. */
const hints: Partial<Record<ErrorCode, string>> = {
  BROKER_UNAVAILABLE: 'is it running? --kafka HOST:PORT names the brokers',
  REGISTRY_UNAVAILABLE: 'is it running? --schema-registry URL names the registry',
  INTERNAL: 'please report this',
}

/** The one line in which a command ends that has failed: code, what happened, what to do. */
export function failureLine(error: unknown): string {
  const code = errorCodeOf(error) ?? 'INTERNAL'
  const hint = hints[code]
  const text = `mailonce: ${code}: ${messageWithCauses(error)}${hint === undefined ? '' : `: ${hint}`}`
  return text.replaceAll(/\s*\n\s*/g, ' ')
}

/** Causes that only repeat what was said are left out. */
function messageWithCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const causes: string[] = []
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const { message } = cause
    if (![error.message, ...causes].some(said => said.includes(message))) causes.push(message)
  }
  return [error.message, ...causes.map(cause => `(${cause})`)].join(' ')
}
