#!/usr/bin/env node
/**
 * The command's entry, in plain JavaScript so that an older Node (20) can run it: where the running Node cannot
 * execute TypeScript, it hands over to the Node 24 that the dependency `node` brings.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = new URL('./main.ts', import.meta.url)
const [major, minor] = process.versions.node.split('.').map(Number)

if (process.features.typescript && (major > 24 || (major === 24 && minor >= 12))) await import(main.href)
else handOver()

function handOver() {
  const node = bundledNode()
  if (node === undefined) {
    process.stderr.write(
      `millrace: needs Node 24.12 or later, this is ${process.version}. Run "npm ci" in the project first: it brings one.\n`,
    )
    process.exit(1)
  }
  // The channel tells the child when this process is gone, even by kill -9, so that none stays behind.
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  const pass = (signal) => child.kill(signal)
  for (const signal of signals) process.on(signal, pass)
  child.on('error', (error) => {
    process.stderr.write(`millrace: cannot start ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function bundledNode() {
  try {
    const home = dirname(createRequire(import.meta.url).resolve('node/package.json'))
    const path = join(home, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}
