import { describeError } from '../errors.ts'
import type { Processor } from './processor.ts'
import type { ThreadAnswers, ThreadQuestion } from './thread-messages.ts'

/**
 * What a thread says to a question. Never rejects: a store may close while it is asked, in a rebalance, and in a thread nobody waits for
 * the answer, so that a rejection would end it, and with it the process. Undefined where there is nothing to measure.
 */
export async function threadAnswer(
  processor: Pick<Processor, 'measured' | 'query'>,
  question: ThreadQuestion,
): Promise<ThreadAnswers[keyof ThreadAnswers] | undefined> {
  const isQuery = question.about === 'query'
  try {
    return await (isQuery ? processor.query(question.path) : processor.measured())
  } catch (error) {
    return isQuery ? { status: 500, body: { error: describeError(error) } } : undefined
  }
}
