/** `millrace topology describe`: what the processor of this configuration computes. */
import { couponTopology } from '#domain/coupon'
import { describe, describeJson, describeMermaid } from '#topology'
import type { Topology } from '#topology'
import { topicNames } from '../compose/topics.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { readSettings } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

export type TopologyFormat = 'text' | 'json' | 'mermaid'

const layouts: Readonly<Record<TopologyFormat, (topology: Topology) => string>> = {
  text: describe,
  json: (topology) => `${JSON.stringify(describeJson(topology), undefined, 2)}\n`,
  mermaid: describeMermaid,
}

export function describeTopology(terminal: Terminal, options: { readonly format: TopologyFormat }): ExitCode {
  const settings = readSettings(terminal.environment)
  const { idempotencyRetentionMs } = settings
  const topology = couponTopology({ topics: topicNames(settings), idempotencyRetentionMs })
  terminal.out(layouts[options.format](topology))
  return exitCodes.ok
}
