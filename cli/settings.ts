/**
 * Every setting of the program: one table, read from environment variables, checked whole at start.
 *
 * An empty variable counts as not set. Directories are relative to the working directory. The README's table is
 * generated from here (`settingsMarkdown`), and a test compares them.
 * Errors: CLI_INVALID_SETTINGS (every mistake, a line each).
 */
import type { z } from 'zod'
import { MillraceError } from '#core'
import type { ProcessKind } from './process-kinds.ts'
import { contradictions } from './settings-rules.ts'
import {
  databaseLocation,
  directory,
  duration,
  integer,
  logLocation,
  matching,
  oneOf,
  url,
  withoutPassword,
} from './settings-types.ts'

export interface SettingSpec<T> {
  /** The environment variable. */
  readonly name: string
  readonly type: string
  /** As one would write it; undefined: not set. */
  readonly default: string | undefined
  readonly unit?: string
  readonly doc: string
  /** `value`: never shown. `password`: a URL whose password is not shown. */
  readonly secret?: 'value' | 'password'
  readonly schema: z.ZodType<T, string>
}

function setting<T>(spec: SettingSpec<T> & { readonly default: string }): SettingSpec<T> {
  return spec
}

function optional<T>(spec: Omit<SettingSpec<T>, 'default'>): SettingSpec<T | undefined> {
  return { ...spec, default: undefined }
}

export const settingsTable = {
  host: setting({
    name: 'HOST',
    type: 'text',
    default: '127.0.0.1',
    doc: 'Address to listen on; 0.0.0.0 for every interface.',
    schema: matching(/^[A-Za-z0-9.:_-]+$/, 'a host name or an IP address'),
  }),
  port: setting({
    name: 'PORT',
    type: 'integer',
    default: '8080',
    doc: 'TCP port to listen on; 0 takes a free one.',
    schema: integer(0, 65_535),
  }),
  advertisedUrl: optional({
    name: 'ADVERTISED_URL',
    type: 'URL',
    doc: 'How others reach this process, when that is not HOST and PORT: http://… or https://…',
    schema: url('http', 'https'),
  }),
  adminToken: optional({
    name: 'ADMIN_TOKEN',
    type: 'text',
    doc: 'Bearer token of operator calls. Without it they are open on a loopback HOST and refused elsewhere.',
    secret: 'value',
    schema: matching(/^[\x21-\x7e]{8,512}$/, '8 to 512 visible ASCII characters'),
  }),
  logUrl: setting({
    name: 'LOG_URL',
    type: 'URL',
    default: 'embedded:./data/log',
    doc: 'The log, which is the truth: embedded:<directory> or kafka://host:port,… Changing it does not move data.',
    secret: 'password',
    schema: logLocation,
  }),
  databaseUrl: setting({
    name: 'DATABASE_URL',
    type: 'URL',
    default: 'pglite:./data/postgres',
    doc: 'SQL copy of the results: pglite:<directory> or postgres://…',
    secret: 'password',
    schema: databaseLocation,
  }),
  redisUrl: optional({
    name: 'REDIS_URL',
    type: 'URL',
    doc: 'Redis copy for others to read: redis://… or rediss://…; not set: none.',
    secret: 'password',
    schema: url('redis', 'rediss'),
  }),
  stateDirectory: setting({
    name: 'STATE_DIR',
    type: 'directory',
    default: './data/state',
    doc: "The processor's stores; rebuilt from the log when it is missing.",
    schema: directory,
  }),
  viewDirectory: setting({
    name: 'VIEW_DIR',
    type: 'directory',
    default: './data/view',
    doc: "The gateway's view of the results; rebuilt from the log when it is missing.",
    schema: directory,
  }),
  appId: setting({
    name: 'APP_ID',
    type: 'text',
    default: 'coupon',
    doc: 'Names the consumer group, the changelog topics and the directory below STATE_DIR. A log belongs to one id: never change it.',
    schema: matching(
      /^[a-z0-9][a-z0-9._-]{0,49}$/,
      '1 to 50 of a-z 0-9 . _ - that begin with a letter or digit',
    ),
  }),
  topicPrefix: setting({
    name: 'TOPIC_PREFIX',
    type: 'text',
    default: '',
    doc: 'Put before the name of every public topic.',
    schema: matching(/^[A-Za-z0-9._-]{0,50}$/, 'at most 50 of A-Z a-z 0-9 . _ -'),
  }),
  partitions: setting({
    name: 'PARTITIONS',
    type: 'integer',
    default: '4',
    doc: 'Partitions of the topics, fixed when they are first created.',
    schema: integer(1, 256),
  }),
  replicationFactor: optional({
    name: 'REPLICATION_FACTOR',
    type: 'integer',
    doc: 'Copies of each topic on Kafka, fixed when it is first created; not set: one a broker, at most 3.',
    schema: integer(1, 100),
  }),
  threads: setting({
    name: 'THREADS',
    type: 'integer',
    default: '1',
    doc: 'Stream threads of this process, on Kafka; tasks are shared among the threads of all processes.',
    schema: integer(1, 64),
  }),
  standbys: setting({
    name: 'STANDBYS',
    type: 'integer',
    default: '0',
    doc: 'Copies of the state of each task in other processes, on Kafka: when a process dies, one of them goes on at once.',
    schema: integer(0, 8),
  }),
  idempotencyRetentionMs: setting({
    name: 'IDEMPOTENCY_RETENTION',
    type: 'duration',
    default: '24h',
    unit: 'ms',
    doc: 'How long an Idempotency-Key is remembered, in log time.',
    schema: duration('1m'),
  }),
  resultRetentionMs: setting({
    name: 'RESULT_RETENTION',
    type: 'duration',
    default: '7d',
    unit: 'ms',
    doc: 'How long a decided claim can be asked for by its id.',
    schema: duration('1m'),
  }),
  rejectedRetentionMs: setting({
    name: 'REJECTED_RETENTION',
    type: 'duration',
    default: '30d',
    unit: 'ms',
    doc: 'How long refused claims stay in the SQL database.',
    schema: duration('1m'),
  }),
  deadLetterRetentionMs: setting({
    name: 'DEAD_LETTER_RETENTION',
    type: 'duration',
    default: '30d',
    unit: 'ms',
    doc: 'How long records that could not be processed are kept.',
    schema: duration('1h'),
  }),
  sinkConnections: setting({
    name: 'SINK_CONNECTIONS',
    type: 'integer',
    default: '2',
    doc: 'Connections to PostgreSQL.',
    schema: integer(1, 100),
  }),
  sinkRowsPerSecond: optional({
    name: 'SINK_ROWS_PER_SECOND',
    type: 'integer',
    unit: 'rows/s',
    doc: 'Bound on the load of the SQL database; not set: none.',
    schema: integer(1, 10_000_000),
  }),
  logLevel: setting({
    name: 'LOG_LEVEL',
    type: 'text',
    default: 'warn',
    doc: 'debug, info (every change of state), warn or error. Logs go to stderr.',
    schema: oneOf('debug', 'info', 'warn', 'error'),
  }),
} as const

type Table = typeof settingsTable
export type Settings = { readonly [K in keyof Table]: Table[K] extends SettingSpec<infer T> ? T : never }
type Environment = Readonly<Record<string, string | undefined>>

/** All settings, checked for what `kind` of process they are. */
export function readSettings(environment: Environment, kind: ProcessKind = 'start'): Settings {
  const values: Record<string, unknown> = {}
  const mistakes: string[] = []
  for (const [key, spec] of Object.entries<SettingSpec<unknown>>(settingsTable)) {
    const text = given(environment, spec) ?? spec.default
    if (text === undefined) continue
    const parsed = spec.schema.safeParse(text)
    if (parsed.success) {
      values[key] = parsed.data
      continue
    }
    const shown = mayBeShown(text, spec) ? `; it is "${text}"` : ''
    mistakes.push(`${spec.name}: ${parsed.error.issues[0]?.message}${shown}.`)
  }
  const settings = values as unknown as Settings
  if (mistakes.length === 0) mistakes.push(...contradictions(settings, kind))
  if (mistakes.length === 0) return settings
  throw new MillraceError('CLI_INVALID_SETTINGS', mistakes.join('\n'), {
    domain: 'user',
    reaction: 'stop',
    retrySafe: true,
    context: { mistakes },
  })
}

export interface EffectiveSetting {
  readonly name: string
  /** Undefined: not set. Secrets are hidden. */
  readonly value: string | undefined
  readonly from: 'default' | 'environment'
  readonly doc: string
}

/** What `millrace config` prints, in the order of the table. */
export function effectiveSettings(environment: Environment): EffectiveSetting[] {
  return Object.values<SettingSpec<unknown>>(settingsTable).map((spec) => {
    const text = given(environment, spec)
    return {
      name: spec.name,
      value: hidden(text ?? spec.default, spec),
      from: text === undefined ? 'default' : 'environment',
      doc: spec.doc,
    }
  })
}

/** The table as the README has it. */
export function settingsMarkdown(): string {
  const rows = Object.values<SettingSpec<unknown>>(settingsTable).map((spec) => {
    const byDefault = spec.default === undefined || spec.default === '' ? '–' : `\`${spec.default}\``
    return `| \`${spec.name}\` | ${spec.type} | ${byDefault} | ${spec.doc} |`
  })
  return ['| variable | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function given(environment: Environment, spec: SettingSpec<unknown>): string | undefined {
  const text = environment[spec.name]?.trim()
  return text === '' ? undefined : text
}

function hidden(text: string | undefined, spec: SettingSpec<unknown>): string | undefined {
  if (text === undefined || spec.secret === undefined) return text
  return spec.secret === 'value' ? '(hidden)' : withoutPassword(text)
}

/** What cannot be read may be a secret in the wrong place. */
function mayBeShown(text: string, { secret }: SettingSpec<unknown>): boolean {
  return secret === undefined || (secret === 'password' && !/[@?]/.test(text))
}
