import { lackText } from './decide-copy.ts'

/** How many other machines must have a copy: a number, all of them, or so many that they are a majority with this one. */
export type MinCopies = number | 'all' | 'majority'

/** What another machine lacks of what was there at the call. */
export interface PeerCopy {
  name: string
  connected: boolean
  lacks: readonly { folder: string; name: string; size: number }[]
}

/** How many of `others` machines have to have a copy. @returns null where there are not so many. */
export function copiesNeeded(minCopies: MinCopies, others: number): number | null {
  if (minCopies === 'all') return others
  if (minCopies === 'majority') return Math.floor((others + 1) / 2)
  return minCopies <= others ? minCopies : null
}

export interface Verdict {
  done: boolean
  /** Names of the machines that have a copy of everything. */
  complete: string[]
  /** One sentence for each of the others. */
  lacking: string[]
}

/** Whether enough of the others have everything. A machine that is not connected counts as none: what it had may be gone. */
export function judgeCopies(needed: number, peers: readonly PeerCopy[]): Verdict {
  const isComplete = ({ connected, lacks }: PeerCopy): boolean => connected && lacks.length === 0
  const complete = peers.filter(isComplete).map(({ name }) => name)
  const lacking = peers.filter((peer) => !isComplete(peer)).map(sentenceOf)
  return { done: complete.length >= needed, complete, lacking }
}

const NAMED = 3

function sentenceOf({ name, connected, lacks }: PeerCopy): string {
  const away = connected ? '' : ' is not connected'
  if (lacks.length === 0) return `${name}${away}`
  const bytes = lacks.reduce((sum, { size }) => sum + size, 0)
  const named = lacks.slice(0, NAMED).map((file) => `${file.folder}/${file.name}`)
  const more = lacks.length > NAMED ? ` and ${lacks.length - NAMED} more` : ''
  const files = lackText({ files: lacks.length, bytes })
  return `${name}${away ? `${away} and` : ''} lacks ${files}: ${named.join(', ')}${more}`
}
