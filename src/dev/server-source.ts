/** Where the servers' programs come from: container images, or the published jars run by the machine's Java. */
export type ServerSource = 'container' | 'maven'

/** What was found on this machine. */
export interface MachineParts {
  /** A local container engine has answered. */
  readonly containerEngine: boolean
  /** Java's major version, undefined when there is none. */
  readonly javaVersion: number | undefined
  readonly maven: boolean
  /** All jars were downloaded before, so Maven is not needed. */
  readonly jarsCached: boolean
}

export type SourceChoice =
  | { readonly source: ServerSource; readonly missing?: undefined }
  | { readonly source?: undefined; readonly missing: string }

/** The lowest Java that Kafka 4 brokers and Apicurio Registry 3.0 run on. */
const javaVersionMin = 17

const install =
  'or start a container engine (Docker); on Debian: apt-get install openjdk-17-jre-headless maven'

/**
 * Chooses before anything is downloaded. Containers win because they bring their own Java; `missing` is one line that
 * says what to install.
 */
export function chooseServerSource(parts: MachineParts, wanted?: ServerSource): SourceChoice {
  if (wanted !== 'maven' && parts.containerEngine) return { source: 'container' }
  if (wanted === 'container') {
    return {
      missing:
        'no local container engine answers: start Docker, or leave the source open to use Java and Maven',
    }
  }
  const needs: string[] = []
  if (parts.javaVersion === undefined)
    needs.push(`Java ${javaVersionMin} or newer (java is not on the path)`)
  else if (parts.javaVersion < javaVersionMin) {
    needs.push(`Java ${javaVersionMin} or newer (java on the path is ${parts.javaVersion})`)
  }
  if (!parts.maven && !parts.jarsCached) needs.push('Maven (mvn is not on the path)')
  if (needs.length === 0) return { source: 'maven' }
  return {
    missing: `the embedded environment needs ${needs.join(' and ')}: install it, ${install}`,
  }
}

/** The major version in what `java -version` prints (JEP 223, and the 1.8 style before it). */
export function parseJavaVersion(output: string): number | undefined {
  const found = /version "(?:1\.)?(\d+)/.exec(output)
  return found?.[1] === undefined ? undefined : Number(found[1])
}
