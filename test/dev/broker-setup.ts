import type { TestProject } from 'vitest/node'

import { DevEnvironment } from '../../src/dev/dev-environment.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** `host:port` of the broker that all broker tests share; make topics with names of your own. */
    kafkaBootstrapServers: string
    /** The Confluent-compatible root of the shared Schema Registry. */
    schemaRegistryUrl: string
    /** The shared inbox; a test that looks into its mails starts a `SmtpInbox` of its own. */
    smtpUrl: string
  }
}

/** Starts one environment for all files of the broker project, and only when one of them is run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const environment = await DevEnvironment.start({ environment: process.env })
  project.provide('kafkaBootstrapServers', environment.kafka.bootstrapServers())
  project.provide('schemaRegistryUrl', environment.registryUrl)
  project.provide('smtpUrl', environment.inbox.url)
  return () => environment[Symbol.asyncDispose]()
}
