/** Checks what the type system cannot: names, handles, and what would misbehave only at run time. */
import { MillraceError } from '#core'
import type { Draft } from './draft.ts'

interface Problem {
  readonly code: string
  readonly message: string
}

const nodeNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

export function checkDrafts(drafts: readonly Draft[]): void {
  const problems: Problem[] = []
  const seen = new Set<string>()
  for (const { name } of drafts) {
    if (!nodeNamePattern.test(name))
      problems.push({ code: 'TOPOLOGY_INVALID_NAME', message: `bad name "${name}"` })
    if (seen.has(name))
      problems.push({ code: 'TOPOLOGY_DUPLICATE_NAME', message: `two nodes are named "${name}"` })
    seen.add(name)
  }
  if (problems.length > 0) {
    throw new MillraceError('TOPOLOGY_INVALID', problems.map((p) => p.message).join('\n'), {
      domain: 'user',
      reaction: 'stop',
      context: { problems },
    })
  }
}
