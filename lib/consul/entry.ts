import { UNKNOWN, type Unknown } from '../core/unknown.ts'
/** A key as Consul has it. `session` is null while nobody holds it as a lock. */
export interface Entry<T> {
  value: T
  modifyIndex: number
  /** How often the key was acquired as a lock, since it was last made or written by a plain PUT: it may repeat. */
  lockIndex: number
  session: string | null
  /** The document's schema number, only where a newer understudy has written it (docs/adr/0025-schema-numbers.md). */
  newerSchema?: number
}

/** All entries below a prefix key, by the rest of their keys. A malformed one hides no other, and its name is not lost. */
export interface Listing<T> {
  valid: Map<string, T>
  /** The names of the entries that this machine cannot read. */
  malformed: string[]
  /** For each of them, one sentence that says why. */
  problems: string[]
}

/** The names of all entries, whether this machine can read them or not. */
export const namesIn = ({ valid, malformed }: Listing<unknown>): string[] => [...valid.keys(), ...malformed]

export const DEFAULT_PREFIX = 'understudy/'

/** The document of an entry; null where there is none, unknown where Consul was not heard. */
export const valueIn = <T>(entry: { value: T } | null | Unknown): T | null | Unknown =>
  entry === UNKNOWN ? UNKNOWN : (entry?.value ?? null)
