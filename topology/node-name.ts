/** Names of nodes and of punctuators: they stand in descriptions, logs and metrics. */
const pattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

export function isNodeName(name: string): boolean {
  return pattern.test(name)
}
