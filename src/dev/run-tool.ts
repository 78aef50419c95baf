import { execFile } from 'node:child_process'

export interface ToolResult {
  /** 0 is success; -1 when the program is not there or was killed. */
  readonly exitCode: number
  /** Standard output, then standard error. */
  readonly output: string
}

const outputBytesMax = 16 * 1024 * 1024

/** Runs a program to its end. A program that is missing or fails is an answer, not an error. */
export function runTool(
  command: string,
  commandArguments: readonly string[],
  signal?: AbortSignal,
): Promise<ToolResult> {
  return new Promise(resolve => {
    const options = { maxBuffer: outputBytesMax, ...(signal && { signal }) }
    execFile(command, commandArguments, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ exitCode, output: `${stdout}${stderr}` })
    })
  })
}
