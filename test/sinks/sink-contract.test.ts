import type { MailRequest } from '../../src/sinks/mail-request.ts'
import type { WebhookRequest } from '../../src/sinks/webhook-request.ts'
import { sinkContract } from '../contract/sink-contract.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { ScriptedReceiver } from '../support/webhooks/scripted-receiver.ts'
import { attemptOf, sinkOf } from './mail-fixture.ts'
import { attemptAt, sinkTo } from './webhook-fixture.ts'

sinkContract<MailRequest>('SmtpSink', async () => {
  const relay = await ScriptedSmtpServer.start()
  const sink = sinkOf(relay)
  return {
    sink,
    attempt: attemptOf(),
    done: () => relay.accepted.length,
    connections: () => relay.openConnections,
    until: condition => relay.until(condition),
    [Symbol.asyncDispose]: async () => {
      await sink.close()
      await relay[Symbol.asyncDispose]()
    },
  }
})

sinkContract<WebhookRequest>('WebhookSink', async () => {
  const receiver = await ScriptedReceiver.start()
  const sink = sinkTo()
  return {
    sink,
    attempt: attemptAt(receiver.url),
    done: () => receiver.requests.length,
    connections: () => receiver.openConnections,
    until: condition => receiver.until(condition),
    [Symbol.asyncDispose]: async () => {
      await sink.close()
      await receiver[Symbol.asyncDispose]()
    },
  }
})
