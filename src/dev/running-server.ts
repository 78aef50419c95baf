/** A server of the embedded environment, whether it runs as a child process or in a container. */
export interface RunningServer {
  /** Resolves with a readable reason once the server has ended by itself or by us. */
  readonly ended: Promise<string>
  /** Asks it to stop, and kills it after some seconds. May be called twice. */
  stop(): Promise<void>
  /** Kills it at once, as a power failure would. */
  kill(): Promise<void>
  /** The last lines it wrote, to show when it does not start. */
  lastLines(): Promise<string>
}

/** One Kafka node to start; its storage is formatted at its first start. */
export interface BrokerCommand {
  readonly name: string
  readonly propertiesFile: string
  readonly dataDirectory: string
  readonly clusterId: string
  /** For `kafka.tools.StorageTool format`, after the cluster id and the properties file. */
  readonly formatArguments: readonly string[]
  readonly heapMb: number
  readonly tunedFor: 'start' | 'load'
}

/** The Schema Registry to start on a port of 127.0.0.1. */
export interface RegistryCommand {
  readonly port: number
  readonly heapMb: number
}

/** Knows where the servers' programs come from and how they are run. */
export interface ServerFactory {
  startBroker(command: BrokerCommand): Promise<RunningServer>
  startRegistry(command: RegistryCommand): Promise<RunningServer>
}

const lastLinesCount = 15

/** What is worth showing of a log: its last lines without Java's stack frames, which would push out the reason. */
export function lastLinesOf(log: string): string {
  const lines = log
    .split('\n')
    .filter(line => line.trim() !== '' && !/^\s+(at |\.\.\. )/.test(line))
  return lines.slice(-lastLinesCount).join('\n')
}
