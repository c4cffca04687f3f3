/** `millrace topology describe`: what the processor of this configuration computes. */
import { couponTopology } from '#domain/coupon'
import { describe, describeJson } from '#topology'
import { topicNames } from '../compose/topics.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { readSettings } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

export function describeTopology(
  terminal: Terminal,
  options: { readonly format: 'text' | 'json' },
): ExitCode {
  const settings = readSettings(terminal.environment)
  const { idempotencyRetentionMs } = settings
  const topology = couponTopology({ topics: topicNames(settings), idempotencyRetentionMs })
  terminal.out(
    options.format === 'json'
      ? `${JSON.stringify(describeJson(topology), undefined, 2)}\n`
      : describe(topology),
  )
  return exitCodes.ok
}
