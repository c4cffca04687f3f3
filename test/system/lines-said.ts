/** The lines of stderr that are not log lines (JSON): a program that ends says why in one, whatever it logged before. */
export function linesSaid(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
}
