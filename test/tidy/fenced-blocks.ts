interface FencedBlock {
  readonly language: string
  readonly text: string
}

/** The fenced blocks with a language below the first heading of level two that matches, in their order. */
export function fencedBlocks(document: string, heading: RegExp): FencedBlock[] {
  const section = document.split(/^## /m).find((part) => heading.test(part)) ?? ''
  return [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] as string,
    text: match[2] as string,
  }))
}
