import { spawn } from 'node:child_process'

const printedCharactersMax = 4000

/** Errors: what Maven printed last. */
export function runMaven(maven: string, parameters: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(maven, ['-B', '-q', ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-printedCharactersMax)
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`Maven failed (is the network there?):\n${output}`))
    })
  })
}
