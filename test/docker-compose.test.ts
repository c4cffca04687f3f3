/** docker-compose.yml and the Dockerfile set what the program knows, and what each of its processes accepts. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { processKinds } from '#cli/process-kinds'
import type { ProcessKind } from '#cli/process-kinds'
import { readSettings, settingsTable } from '#cli/settings'

const root = fileURLToPath(new URL('..', import.meta.url))
const compose = readFileSync(`${root}/docker-compose.yml`, 'utf8')
const dockerfile = readFileSync(`${root}/Dockerfile`, 'utf8')
const settingNames = new Set<string>(Object.values(settingsTable).map(({ name }) => name))

/** The lines of each `name:` at one depth of indentation, below it; of YAML only what the file needs. */
function blocks(text: string, depth: number): Map<string, string> {
  const heading = new RegExp(`^ {${depth}}([\\w-]+):(.*)$`)
  const found = new Map<string, string>()
  let name = ''
  for (const line of text.split('\n')) {
    if (/^\s*(#|$)/.test(line)) continue
    const match = heading.exec(line)
    if (match !== null) name = match[1] as string
    found.set(name, match === null ? `${found.get(name)}${line}\n` : `${match[2]}\n`)
  }
  return found
}

const services = blocks(blocks(compose, 0).get('services') ?? '', 2)

/** `${NAME:-default}` and `${NAME:?why}` as what is given and an ADMIN_TOKEN make them. */
function substituted(value: string, given: Record<string, string>): string {
  return value
    .replaceAll(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, byDefault: string) => given[name] ?? byDefault)
    .replaceAll(/\$\{ADMIN_TOKEN:\?[^}]*\}/g, 'a-long-token')
    .replaceAll(/^['"]|['"]$/g, '')
}

function variablesOf(text: string, given: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^\s+([A-Z][A-Z0-9_]*): (.*)$/gm)].map(([, name, value]) => [
      name as string,
      substituted(value as string, given),
    ]),
  )
}

/** What the image sets, then what the service sets. */
function environmentOf(service: string, given: Record<string, string> = {}): Record<string, string> {
  const ofImage = [...dockerfile.matchAll(/^(?:ENV|\s+) ?([A-Z_]+)=(\S+)/gm)]
  const own = services.get(service) ?? ''
  const shared = own.includes('*log') ? (blocks(compose, 0).get('x-log') ?? '') : ''
  return {
    ...Object.fromEntries(ofImage.map(([, name, value]) => [name as string, value as string])),
    ...variablesOf(shared, given),
    ...variablesOf(own, given),
  }
}

const parts = Object.keys(processKinds).filter((kind) => kind !== 'start') as ProcessKind[]

describe('docker-compose.yml', () => {
  it('has the stores, and a service for each part', () => {
    expect([...services.keys()].toSorted()).toEqual([...parts, 'kafka', 'postgres', 'redis'].toSorted())
    for (const store of ['kafka', 'postgres', 'redis']) expect(services.get(store)).toContain('healthcheck:')
  })

  it.each(parts)('starts the %s with settings that it knows and takes', (part) => {
    expect(services.get(part)).toContain(`command: [${part}]`)
    const { NODE_ENV, ...environment } = environmentOf(part)
    expect(NODE_ENV).toBe('production')
    expect(Object.keys(environment).filter((name) => !settingNames.has(name))).toEqual([])
    const settings = readSettings(environment, part)
    expect(settings.logUrl).toEqual({ kind: 'kafka', url: 'kafka://kafka:9092' })
    expect(settings.host).toBe('0.0.0.0')
  })

  it('gives the processor its threads and copies', () => {
    const { threads, standbys } = readSettings(environmentOf('processor'), 'processor')
    expect({ threads, standbys }).toEqual({ threads: 1, standbys: 0 })
    const given = readSettings(environmentOf('processor', { THREADS: '2', STANDBYS: '1' }), 'processor')
    expect([given.threads, given.standbys]).toEqual([2, 1])
  })

  it('runs what an image alone runs, on parts of its own', () => {
    const { LOG_URL = '', DATABASE_URL = '' } = environmentOf('')
    expect([LOG_URL, DATABASE_URL]).toEqual(['embedded:/data/log', 'pglite:/data/postgres'])
  })
})
