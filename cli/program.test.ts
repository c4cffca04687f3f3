import { describe, expect, it } from 'vitest'
import { run } from './program.ts'
import { terminal } from './terminal.ts'

async function type(
  line: string,
  environment: Record<string, string> = {},
): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const fake = terminal({
    environment,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  })
  const code = await run(line.split(' ').filter(Boolean), fake)
  return { code, out, err }
}

describe('the command line', () => {
  it('teaches by --help, on stdout', async () => {
    const { code, out, err } = await type('--help')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('millrace topology describe')
    expect(out).toContain('Exit codes')
  })

  it.each([
    'frobnicate',
    'config --yaml',
    'topology describe --format xml',
    'topology describe --app order',
    '',
  ])('refuses "millrace %s" with exit code 2, on stderr', async (line) => {
    const { code, out, err } = await type(line)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).not.toBe('')
  })

  it('prints settings as JSON, secrets hidden', async () => {
    const { code, out } = await type('config --json', { PORT: '9', ADMIN_TOKEN: 'open-sesame' })
    expect(code).toBe(0)
    const settings = JSON.parse(out) as Record<string, { value: string | null; from: string }>
    expect(settings['PORT']).toEqual({ value: '9', from: 'environment' })
    expect(settings['REDIS_URL']).toEqual({ value: null, from: 'default' })
    expect(out).not.toContain('sesame')
  })

  it('prints a dash for what is not set', async () => {
    const { out } = await type('config')
    expect(out).toMatch(/^TOPIC_PREFIX +- +default$/m)
    expect(out).toMatch(/^REDIS_URL +- +default$/m)
  })

  it('prints wrong settings too, and says a line for each on stderr', async () => {
    const { code, out, err } = await type('config', { PORT: 'x', LOG_LEVEL: 'loud' })
    expect(code).toBe(2)
    expect(out).toMatch(/^PORT +x +environment$/m)
    expect(err.trimEnd().split('\n')).toHaveLength(2)
  })

  it('refuses to start with wrong settings', async () => {
    const { code, err } = await type('start', { LOG_URL: 'kafka:localhost:9092' })
    expect(code).toBe(2)
    expect(err).toContain('[CLI_INVALID_SETTINGS]')
  })

  it.each(['gateway', 'processor', 'sink'])('refuses to run a %s on an embedded log', async (part) => {
    const { code, err } = await type(part)
    expect(code).toBe(2)
    expect(err).toMatch(
      /^millrace: LOG_URL: must be kafka:\/\/host:port, .*millrace start has everything in one/,
    )
  })

  it('names the topics as they are configured', async () => {
    const { out } = await type('topology describe', { TOPIC_PREFIX: 'shop.' })
    expect(out).toContain('(topics: [shop.coupon-issue])')
  })

  it('draws the topology for Mermaid', async () => {
    const { code, out } = await type('topology describe --format mermaid', {})
    expect(code).toBe(0)
    expect(out).toMatch(/^flowchart TD\n/)
    expect(out).toContain('(["coupon-issue"])')
  })
})
