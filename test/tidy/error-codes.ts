/** Error codes as the sources name them: string literals and keys of tables that look like `ROOM_WHAT_HAPPENED`. */
import { Visitor, parseSync } from 'oxc-parser'

const form =
  /^(CLI|COUPON|DIRECTORY|GATEWAY|INVARIANT|LOG|PROCESSOR|ROCKSDB|RPC|SINK|STATE|TOPOLOGY)(_[A-Z]+)+$/

export function errorCodesIn(path: string, text: string, notCodes: ReadonlySet<string>): string[] {
  const found = new Set<string>()
  const take = (name: unknown): void => {
    if (typeof name === 'string' && form.test(name) && !notCodes.has(name)) found.add(name)
  }
  new Visitor({
    Literal: ({ value }) => take(value),
    Property({ key }) {
      if (key.type === 'Identifier') take(key.name)
    },
  }).visit(parseSync(path, text).program)
  return [...found]
}

/** Codes of a Markdown table: first column, in backquotes. */
export function codesInTable(markdown: string, heading: string): string[] {
  const section = markdown.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] as string)
}
