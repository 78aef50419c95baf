import { readFileSync } from 'node:fs'

const ticksPerSecond = 100

/** Processor time of all processes of the machine since it started, seconds, over all cores. */
export function machineCpuSeconds(): number {
  const [, user, nice, system, , , irq, softIrq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]!
    .split(/ +/)
    .map(Number)
  return (user! + nice! + system! + irq! + softIrq!) / ticksPerSecond
}
