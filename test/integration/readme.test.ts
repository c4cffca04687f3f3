/** The README's flash sale, typed into a shell against the started program: what it promises must come out. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#core'
import { startProgram } from '#cli/demo/program'
import type { Program } from '#cli/demo/program'
import { fencedBlocks } from '../tidy/fenced-blocks.ts'

/** Ids and times differ from run to run. */
function withoutVariables(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{16}-\d+-\d+-\d+/g, 'CLAIM')
    .replaceAll(/\d{4}-\d\d-\d\dT[0-9:.]+Z/g, 'TIME')
    .trim()
}

const separator = '---8<---'

async function runInShell(scripts: readonly string[]): Promise<string[]> {
  const script = scripts.join(`\necho; echo '${separator}'\n`)
  const shell = spawn('bash', ['-eu', '-o', 'pipefail'], { stdio: ['pipe', 'pipe', 'inherit'] })
  shell.stdin.end(script)
  let output = ''
  for await (const chunk of shell.stdout) output += String(chunk)
  return output.split(separator)
}

describe.each([
  ['README.md', /^A flash sale by curl/],
  ['README.ko.md', /^curl로 해 보는 선착순 판매/],
])('the flash sale of %s', (file, heading) => {
  let directory: string
  let program: Program
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-readme-'))
    program = await startProgram(directory, systemClock)
  })
  afterAll(async () => {
    await program.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('answers what the document says', async () => {
    const blocks = fencedBlocks(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'), heading)
    const scripts = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text)
    const expected = blocks.filter(({ language }) => language !== 'sh').map(({ text }) => text)
    expect(scripts.length).toBeGreaterThanOrEqual(6)
    const outputs = await runInShell(
      scripts.map((script) => script.replaceAll('http://127.0.0.1:8080', program.url)),
    )
    expect(outputs.map(withoutVariables)).toEqual(expected.map(withoutVariables))
  })
})
