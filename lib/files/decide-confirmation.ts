import { printable } from '../core/text.ts'
import { lackText } from './decide-copy.ts'

/** How many other machines must have everything: a number, all of them, or enough for a majority together with this one. */
export type MinCopies = number | 'all' | 'majority'

/** A file that another machine lacks, or a delete that it has not carried out. */
export interface Need {
  folderId: string
  /** The label of the folder. */
  folder: string
  name: string
  size: number
  deleted: boolean
}

/** What another machine lacks. */
export interface MachineNeeds {
  name: string
  connected: boolean
  lacks: readonly Need[]
}

/** How many of `others` machines must have everything. @returns null if there are not so many. */
export function copiesNeeded(minCopies: MinCopies, others: number): number | null {
  if (minCopies === 'all') return others
  if (minCopies === 'majority') return Math.floor((others + 1) / 2)
  return minCopies <= others ? minCopies : null
}

export interface Confirmation {
  done: boolean
  /** Names of the machines that have everything. */
  complete: string[]
  /** One sentence for each of the others. */
  lacking: string[]
}

/** Whether enough machines have everything. One that is not connected does not count: it may have lost what it had. */
export function judgeCopies(needed: number, machines: readonly MachineNeeds[]): Confirmation {
  const isComplete = ({ connected, lacks }: MachineNeeds): boolean => connected && lacks.length === 0
  const complete = machines.filter(isComplete).map(({ name }) => name)
  const lacking = machines.filter((machine) => !isComplete(machine)).map(sentenceOf)
  return { done: complete.length >= needed, complete, lacking }
}

/** More files than these are only counted. */
const NAMED = 3

function sentenceOf({ name, connected, lacks }: MachineNeeds): string {
  const away = connected ? '' : ' is not connected'
  if (lacks.length === 0) return `${name}${away}`
  const bytes = lacks.reduce((sum, { size }) => sum + size, 0)
  const named = lacks.slice(0, NAMED).map((file) => printable(`${file.folder}/${file.name}`))
  const more = lacks.length > NAMED ? ` and ${lacks.length - NAMED} more` : ''
  const files = lackText({ files: lacks.length, bytes })
  return `${name}${away ? `${away} and` : ''} lacks ${files}: ${named.join(', ')}${more}`
}
