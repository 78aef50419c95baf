import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DownloadCache } from '../../src/dev/download-cache.ts'
import { cacheDirectory } from '../../src/dev/machine-parts.ts'
import { ServerJars } from '../../src/dev/server-jars.ts'
import { systemRandom } from '../../src/random.ts'

const version = '4.3.1'
const run = promisify(execFile)

/**
 * Kafka's own command line tools: what is written by us must be read by its Java client. The arguments are separated
 * by spaces.
 */
export async function kafkaTool(mainClass: string, toolArguments: string): Promise<string> {
  const cache = new DownloadCache(cacheDirectory(process.env), systemRandom)
  const jars = await new ServerJars(cache, () => undefined).kafka(version)
  const tools = await cache.directory(`kafka-tools-${version}`, async directory => {
    await run('mvn', [
      '--quiet',
      '--batch-mode',
      'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy',
      `-Dartifact=org.apache.kafka:kafka-tools:${version}`,
      `-DoutputDirectory=${directory}`,
    ])
  })
  const classPath = [`${jars}/*`, `${tools}/*`].join(':')
  const heap = ['-Xmx256m', '-XX:TieredStopAtLevel=1']
  const { stdout } = await run(
    'java',
    [...heap, '-cp', classPath, mainClass, ...toolArguments.split(' ')],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return stdout
}

/** Lines of `PARTITION|OFFSET|KEY|VALUE` that the console consumer prints with read_committed, sorted. */
export async function consoleConsumer(
  bootstrapServers: string,
  topic: string,
  records: number,
  ...more: readonly string[]
): Promise<string[]> {
  const shown = ['partition', 'offset', 'key', 'value']
  const formatted = shown.map(name => `--formatter-property print.${name}=true`)
  const output = await kafkaTool(
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    [
      `--bootstrap-server ${bootstrapServers} --topic ${topic} --from-beginning`,
      `--isolation-level read_committed --max-messages ${records} --timeout-ms 30000`,
      '--formatter-property key.separator=|',
      ...formatted,
      ...more,
    ].join(' '),
  )
  const lines = output.split('\n').filter(line => line.startsWith('Partition:'))
  return lines.map(line => line.replace('Partition:', '').replace('Offset:', '')).toSorted()
}
