import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { StreamsError } from '../errors.ts'
import type { DownloadCache } from './download-cache.ts'
import { runTool } from './run-tool.ts'

/** The Schema Registry of development: the newest line that runs on Java 17. */
export const registryVersion = '3.0.9'

// The plugin version that Maven 3 takes by itself. Newer ones insist on the artifact's parent descriptors, which say
// nothing about an archive that is complete in itself and which mirrors do not always have.
const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:2.8'
const registryArtifact = 'apicurio-registry-app'

// slf4j-simple is added because without a provider a broker that refuses its configuration dies without a word.
const kafkaPom = (version: string): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mailonce</groupId><artifactId>embedded-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

/** The published jars, downloaded with Maven once and kept in the cache. */
export class ServerJars {
  readonly #cache: DownloadCache
  readonly #onProgress: (text: string) => void

  constructor(cache: DownloadCache, onProgress: (text: string) => void) {
    this.#cache = cache
    this.#onProgress = onProgress
  }

  async cached(kafkaVersion: string): Promise<boolean> {
    return (await this.#cache.has(kafkaName(kafkaVersion))) && (await this.#cache.has(registryName))
  }

  /** A directory of jars: the class path of a broker. */
  kafka(version: string): Promise<string> {
    return this.#cache.directory(kafkaName(version), async directory => {
      this.#onProgress(`downloading Kafka ${version} (44 MB, once)`)
      const pom = join(directory, 'pom.xml')
      await writeFile(pom, kafkaPom(version))
      await maven(
        '-f',
        pom,
        `${dependencyPlugin}:copy-dependencies`,
        '-DincludeScope=runtime',
        `-DoutputDirectory=${directory}`,
      )
    })
  }

  /** A directory that holds `apicurio-registry-app-VERSION-runner.jar` and its libraries. */
  registry(): Promise<string> {
    return this.#cache.directory(registryName, async directory => {
      this.#onProgress(`downloading Apicurio Registry ${registryVersion} (109 MB, once)`)
      const artifact = `io.apicurio:${registryArtifact}:${registryVersion}:tar.gz:all`
      await maven(
        `${dependencyPlugin}:copy`,
        `-Dartifact=${artifact}`,
        `-DoutputDirectory=${directory}`,
      )
      const archive = join(directory, `${registryArtifact}-${registryVersion}-all.tar.gz`)
      await orFail('tar', ['-xzf', archive, '-C', directory])
      await orFail('rm', [archive])
    })
  }
}

export const registryJar = `${registryArtifact}-${registryVersion}-runner.jar`
const registryName = `apicurio-registry-${registryVersion}`

function kafkaName(version: string): string {
  return `kafka-${version}`
}

function maven(...mavenArguments: readonly string[]): Promise<void> {
  return orFail('mvn', ['--quiet', '--batch-mode', ...mavenArguments])
}

async function orFail(command: string, commandArguments: readonly string[]): Promise<void> {
  const { exitCode, output } = await runTool(command, commandArguments)
  if (exitCode === 0) return
  const reason = output.split('\n').find(line => line.includes('ERROR')) ?? output.trim()
  throw new StreamsError('ENVIRONMENT_FAILED', `${command} failed, nothing was kept: ${reason}`)
}
