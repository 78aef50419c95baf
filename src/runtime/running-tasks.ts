import type { OwnedTask } from './owned-tasks.ts'

/** Writes what the effects have heard into the active cycle and begins new tries; each turn another task comes first. True when something waits for the commit. */
export function turnEffects(running: readonly OwnedTask[], turn: number): boolean {
  let urgent = false
  for (let index = 0; index < running.length; index += 1) {
    const { task } = running[(index + turn) % running.length]!
    for (const node of task.effects) {
      const engine = task.engines.get(node.name)!
      urgent = engine.turn(task.graph.emitter(node)) || urgent
    }
  }
  return urgent
}

/** True while an effect is on its way to its gate, or its reply to us. */
export function hasMovingEffects(running: readonly OwnedTask[]): boolean {
  for (const { task } of running) {
    if (task.engines.size === 0) continue
    for (const engine of task.engines.values()) if (engine.isMoving) return true
  }
  return false
}

/** Milliseconds until a timer of one of them is due; Infinity when none is. */
export function nextTimerMs(running: readonly OwnedTask[]): number {
  let delayMs = Infinity
  for (const { task, processing } of running) {
    delayMs = Math.min(delayMs, processing.nextPunctuationMs())
    if (task.engines.size === 0) continue
    for (const engine of task.engines.values()) delayMs = Math.min(delayMs, engine.nextDelayMs())
  }
  return delayMs
}
