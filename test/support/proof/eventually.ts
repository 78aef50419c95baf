import { setTimeout as delay } from 'node:timers/promises'

/** Looks again and again until the condition holds; after the time it fails with what was seen last. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  options: { readonly withinMs?: number; readonly seen?: () => unknown } = {},
): Promise<void> {
  const { withinMs = 60_000, seen } = options
  const deadlineMs = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadlineMs)
      throw new Error(
        `not within ${withinMs} ms: ${what}; seen: ${JSON.stringify(seen?.(), null, 1)}`,
      )
    await delay(20)
  }
}
