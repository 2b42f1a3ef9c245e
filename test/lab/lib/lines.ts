import type { Lab } from './lab.ts'

/** The words of each line of a file on every machine that is on; none where a machine does not have it. */
export async function wordsOnAll(
  lab: Lab,
  machines: readonly string[],
  path: string,
): Promise<{ machine: string; words: string[] }[]> {
  const all = await Promise.all(
    machines.map(async (machine) => {
      const { stdout } = await lab.exec(machine, ['sh', '-c', 'cat "$1" 2>/dev/null || true', 'cat', path])
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => ({ machine, words: line.split(' ') }))
    }),
  )
  return all.flat()
}
