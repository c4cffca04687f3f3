/** What the documents say is compared with what the sources do. */
import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { settingsMarkdown, settingsTable } from '#cli/settings'
import { problemCodes } from '#gateway'
import { codesInTable, errorCodesIn } from './tidy/error-codes.ts'
import { fencedBlocks } from './tidy/fenced-blocks.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8')
const settingNames = new Set(Object.values(settingsTable).map((setting) => setting.name))

function sourceCodes(): string[] {
  const folders = '{core,topology,state,log,processor,domain,gateway,sink,cli}'
  const paths = globSync(`${folders}/**/*.ts`, { cwd: root, exclude: (path) => path.endsWith('.test.ts') })
  return [...new Set(paths.flatMap((path) => errorCodesIn(path, read(path), settingNames)))].toSorted()
}

describe('docs/errors.md', () => {
  const document = read('docs/errors.md')
  it('lists every code of the program and no other', () => {
    expect(codesInTable(document, 'Codes of the program').toSorted()).toEqual(sourceCodes())
  })
  it('lists every problem over HTTP and no other', () => {
    expect(codesInTable(document, 'Problems over HTTP').toSorted()).toEqual([...problemCodes].toSorted())
  })
})

describe('README.md', () => {
  it('has the table of settings', () => expect(read('README.md')).toContain(settingsMarkdown()))
})

/** As a program of somebody who has installed this directory; answers what it prints. */
async function runAsUser(program: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-library-'))
  try {
    await mkdir(join(directory, 'node_modules'))
    await symlink(root, join(directory, 'node_modules', 'millrace'))
    await writeFile(join(directory, 'program.mts'), program)
    const { stdout } = await promisify(execFile)(process.execPath, ['program.mts'], {
      cwd: directory,
      timeout: 20_000,
    })
    return stdout
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

describe('the library by README.md', () => {
  const blocks = fencedBlocks(read('README.md'), /^As a library/)
  const samples = blocks.filter(({ language }) => language === 'ts').map(({ text }) => text)

  it('runs as its samples say, one after the other, and prints what is below them', async () => {
    expect(blocks.map(({ language }) => language)).toEqual(['ts', 'ts', 'text'])
    const printed = blocks.at(-1)?.text ?? ''
    expect((await runAsUser(samples.join('\n'))).slice(-printed.length)).toBe(printed)
  }, 30_000)

  it('has the same samples in Korean', () => {
    expect(fencedBlocks(read('README.ko.md'), /^라이브러리로 쓰기/)).toEqual(blocks)
  })
})

describe('README.ko.md', () => {
  it('names every setting', () => {
    const text = read('README.ko.md')
    expect([...settingNames].filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})

describe('the comparison can fail', () => {
  it('finds codes in literals and in tables, but no settings', () => {
    const text = `fail('LOG_BROKEN'); const codes = { SINK_LOST: 1 }; read('LOG_URL'); // LOG_COMMENT`
    expect(errorCodesIn('x.ts', text, settingNames)).toEqual(['LOG_BROKEN', 'SINK_LOST'])
  })
  it('reads the codes of one table', () => {
    const document = '\n## A\n\n| code |\n| --- |\n| `X_Y` | why |\n\n## B\n\n| `Z_Z` | why |\n'
    expect(codesInTable(document, 'A')).toEqual(['X_Y'])
  })
})
