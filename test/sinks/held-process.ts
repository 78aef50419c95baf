import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { prepared } from './mail-fixture.ts'

/** Run as a process: prepares one mail, says so, and holds it for as long as it lives. */
const [url = ''] = process.argv.slice(2)
const sink = new SmtpSink({ url, from: 'default@example.org' })
const attempt = await prepared(sink)
process.stdout.write('held\n')
await attempt.lost
