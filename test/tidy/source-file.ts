/** One parsed source file: what it imports and which rule-relevant expressions it holds. */
import { Visitor, parseSync } from 'oxc-parser'

export interface SourceFile {
  /** Relative to the repository, with slashes. */
  readonly path: string
  readonly text: string
  /** Specifiers as written: static, type-only and dynamic imports, re-exports, `new URL('…', import.meta.url)`. */
  readonly imports: readonly string[]
  /** Wall clock, randomness and bare timers, as written. */
  readonly impurities: readonly string[]
}

const members = new Set(['Date.now', 'Math.random', 'performance.now'])
const functions = new Set(['setTimeout', 'setInterval'])

export function parseSource(path: string, text: string): SourceFile {
  const { program, module, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const imports = module.staticImports.map((entry) => entry.moduleRequest.value)
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest } of entries) if (moduleRequest) imports.push(moduleRequest.value)
  }
  const impurities: string[] = []
  new Visitor({
    ImportExpression({ source }) {
      if (source.type === 'Literal') imports.push(String(source.value))
    },
    TSImportType({ source }) {
      imports.push(source.value)
    },
    NewExpression({ callee, arguments: [first] }) {
      if (callee.type !== 'Identifier') return
      if (callee.name === 'URL' && first?.type === 'Literal') imports.push(String(first.value))
      if (callee.name === 'Date' && first === undefined) impurities.push('new Date()')
    },
    MemberExpression({ object, property }) {
      if (object.type !== 'Identifier' || property.type !== 'Identifier') return
      const name = `${object.name}.${property.name}`
      if (members.has(name)) impurities.push(name)
    },
    CallExpression({ callee }) {
      if (callee.type === 'Identifier' && functions.has(callee.name)) impurities.push(callee.name)
    },
  }).visit(program)
  for (const specifier of imports) if (/^(node:)?timers(\/|$)/.test(specifier)) impurities.push(specifier)
  return { path, text, imports: [...new Set(imports)], impurities }
}
