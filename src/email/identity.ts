/** A request's name: everywhere it is the pair, never the request id alone. */
export interface RequestName {
  readonly source: string
  readonly requestId: string
}

const nul = '\u0000'
// A NUL in a source would make two names one text. Such a source is INVALID, but even an invalid request takes its
// identity and must not take another's, so the separator is escaped where it occurs.
const escape = '\u0001'
const escapedEscape = `${escape}\u0002`
const escapedNul = `${escape}\u0003`

/** The pair as one text, `source`, NUL, `requestId`: no two pairs share one. */
export function identityOf(name: RequestName): string {
  return `${escapeSource(name.source)}${nul}${name.requestId}`
}

/** The pair behind a text of `identityOf`. */
export function nameOf(identity: string): RequestName {
  const at = identity.indexOf(nul)
  return { source: unescapeSource(identity.slice(0, at)), requestId: identity.slice(at + 1) }
}

function escapeSource(source: string): string {
  // The lookup is cheaper than the replacement, and no good source contains either.
  if (!source.includes(nul) && !source.includes(escape)) return source
  return source.replaceAll(escape, escapedEscape).replaceAll(nul, escapedNul)
}

function unescapeSource(text: string): string {
  if (!text.includes(escape)) return text
  return text.replaceAll(escapedNul, nul).replaceAll(escapedEscape, escape)
}
