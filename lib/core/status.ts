import type { Reading } from './reading.ts'
import type { Settings } from './settings.ts'
import { UNKNOWN, type Unknown } from './unknown.ts'

/** A member of the cluster, as far as it is known; always also the machine that looks. */
export interface Member {
  name: string
  address: string
}

/** Questions by name, each asked already. No two sections have the same name. */
export type Questions = Readonly<Record<string, Promise<unknown>>>

/** Everything that was asked, with a `Reading` for each question. */
export interface Seen<
  FromConsul extends object = object,
  Here extends object = object,
  FromMachine extends object = object,
> {
  at: string
  /** Of the machine that looks. */
  settings: Settings
  members: readonly Member[]
  consul: FromConsul
  here: Here
  /** By the names of the members. */
  machines: ReadonlyMap<string, FromMachine>
}

/** Something that could not be read. */
export interface Gap {
  /** null where it concerns the whole cluster. */
  machine: string | null
  what: string
  why: string
}

/** The value of a reading; without one {@link UNKNOWN}, and the document has a gap of this name with the reason. */
export type ValueOrGap = <T>(machine: string | null, what: string, reading: Reading<T>) => T | Unknown

/** What the document says of every machine; the sections add their fields. */
export interface MachineReport extends Member {
  /** Is this the machine that looked? */
  here: boolean
}

/** The cluster as one machine sees it at one moment; the sections add their fields. */
export interface Report {
  at: string
  /** Name of the machine that looked. */
  observer: string
  machines: MachineReport[]
  unknown: Gap[]
}

/** How a part of the table is set off. */
export type Tone = 'good' | 'bad' | 'faint' | 'strong'

export interface Cell {
  text: string
  tone?: Tone
}

/** What could not be read, as a person reads it. */
export const textOf = (value: string | Unknown): string => (value === UNKNOWN ? 'unknown' : value)

export const unknownCell: Cell = { text: textOf(UNKNOWN), tone: 'bad' }

/** Columns of the table that stand side by side. */
export interface Columns<R extends Report> {
  headings: readonly string[]
  /** The heading that they stand behind; else they stand behind all others so far. */
  after?: string
  /** A cell for each heading. */
  cells(machine: R['machines'][number], report: R): readonly Cell[]
}

/**
 * What a component says in the status. It asks; its pure functions make the fields of the document from the answers; and from the
 * document they make its cells of the table and its sentences. Everything but what is asked is given the earlier components' part, too.
 */
export interface StatusSection<Context, S extends Seen = Seen, R extends Report = Report> {
  /** Questions to Consul. */
  askConsul?(context: Context): Questions
  /** Questions to the machine that looks and its daemons. An answer that takes longer than the deadline is not waited for. */
  askHere?(context: Context, timeoutMs: number): Questions
  /** Questions to a member itself. The machine that looks is asked before Consul has answered. */
  askMachine?(
    member: Member,
    known: Pick<S, 'settings'> & { consul: Partial<S['consul']> },
    timeoutMs: number,
  ): Questions

  /** Fields of the document. */
  fields?(seen: S, valueOrGap: ValueOrGap): object
  /** Fields of a machine in the document. */
  machineFields?(member: Member, seen: S, valueOrGap: ValueOrGap): object

  columns?: Columns<R>
  /** Parts of the line about the cluster above the table. */
  clusterLine?(report: R): readonly string[]
  /** A phrase of the sentence about a healthy cluster, with what joins it to the phrase before it. */
  healthyPhrase?(report: R): string

  /** Does a machine show any sign of life here? One that shows none in any section is one problem, not many. */
  answers?(machine: R['machines'][number]): boolean
  /** How the cluster deviates from a healthy one, one sentence each. */
  problems?(report: R): readonly string[]
  /** How a machine does. */
  machineProblems?(machine: R['machines'][number], report: R): readonly string[]
  /** Worth knowing, but nothing to repair. */
  notes?(report: R): readonly string[]
}
