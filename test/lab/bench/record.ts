/** Keeps what was measured in the documents. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { renewPage } from '../../../lib/operations/render-reference.ts'

const PAGE = fileURLToPath(new URL('../../../docs/performance.md', import.meta.url))

export interface Circumstances {
  /** ISO 8601. */
  readonly at: string
  /** How many there are in the lab, for a person. */
  readonly machines: string
  readonly suite: string
  /** Of the host. */
  readonly cores: number
  /** The host's load over a minute, when it began and when it ended. */
  readonly loadBefore: number
  readonly loadAfter: number
}

/** Puts the lines that a command has printed into the page, in place of the last ones. @param what the name of the section. */
export function record(what: string, lines: readonly string[], circumstances: Circumstances): void {
  const { at, machines, suite, cores, loadBefore, loadAfter } = circumstances
  const load = `${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} after`
  const text = [
    `${at.slice(0, 10)}, ${suite}, ${machines} on ${cores} cores, load ${load}:`,
    ...['', '```text', `npm run bench -- ${process.argv.slice(2).join(' ')}`, '', ...lines, '```'],
  ].join('\n')
  writeFileSync(PAGE, renewPage(readFileSync(PAGE, 'utf8'), { [what]: text }))
}
