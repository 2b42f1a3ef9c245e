import * as v from 'valibot'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import type { Key } from '../core/key.ts'
import type { Entry, Listing } from './entry.ts'

/** A key as Consul's API gives it, see https://developer.hashicorp.com/consul/api-docs/kv. */
export interface RawEntry {
  Key: string
  /** In base64; null where the value is empty. */
  Value: string | null
  ModifyIndex: number
  LockIndex: number
  Session?: string
}

/**
 * Reads a document by the rule of docs/adr/0025-schema-numbers.md: one with a higher schema number is read where all that this
 * version needs of it is valid.
 * @throws one sentence that names the key, with the exit code for malformed data.
 */
export function parseEntry<T>(key: Key<T>, raw: RawEntry): Entry<T> {
  return {
    ...parseDocument(key, raw),
    modifyIndex: raw.ModifyIndex,
    lockIndex: raw.LockIndex,
    session: raw.Session ?? null,
  }
}

/** Reads all entries below a prefix key, given by their names. */
export function parseListing<T>(key: Key<T>, entries: readonly (readonly [string, RawEntry])[]): Listing<T> {
  const listing: Listing<T> = { valid: new Map(), malformed: [], problems: [] }
  for (const [name, raw] of entries) {
    try {
      listing.valid.set(name, parseEntry(key, raw).value)
    } catch (error) {
      listing.malformed.push(name)
      listing.problems.push(explain(error))
    }
  }
  return listing
}

/** What Consul had below one name at one moment. */
export class Snapshot {
  readonly #entries: ReadonlyMap<string, RawEntry>

  /** @param entries by the paths of their keys. */
  constructor(entries: ReadonlyMap<string, RawEntry>) {
    this.#entries = entries
  }

  /** null where the key does not exist. @throws as {@link parseEntry} does. */
  get<T>(key: Key<T>): Entry<T> | null {
    const raw = this.#entries.get(key.path)
    return raw ? parseEntry(key, raw) : null
  }

  /** All entries below a prefix key (one that ends in "/"). */
  list<T>(key: Key<T>): Listing<T> {
    const below = [...this.#entries].filter(([path]) => path.startsWith(key.path))
    return parseListing(
      key,
      below.map(([path, raw]) => [path.slice(key.path.length), raw]),
    )
  }
}

function parseDocument<T>(key: Key<T>, raw: RawEntry): Pick<Entry<T>, 'value' | 'newerSchema'> {
  const document = parseJson(raw)
  const result = v.safeParse(key.schema, document)
  if (result.success) return { value: result.output }
  const number = schemaNumber(document)
  const own = ownNumber(result.issues)
  if (number === null || own === null || number < own) throw malformed(raw, result.issues[0].message)
  const older = v.safeParse(key.schema, { ...(document as object), schema: own })
  if (older.success) return { value: older.output, newerSchema: number }
  throw new UnderstudyError(
    EXIT.data,
    `Consul's key ${raw.Key} was written by a newer understudy (schema ${number}); upgrade this machine`,
  )
}

function parseJson(raw: RawEntry): unknown {
  try {
    return JSON.parse(Buffer.from(raw.Value ?? '', 'base64').toString())
  } catch (error) {
    throw malformed(raw, (error as Error).message)
  }
}

function schemaNumber(document: unknown): number | null {
  const number = (document as { schema?: unknown } | null)?.schema
  return Number.isSafeInteger(number) ? (number as number) : null
}

/** The number that the key's schema expects, from the complaint that another one was found; null where that is not one. */
function ownNumber(issues: readonly v.BaseIssue<unknown>[]): number | null {
  const issue = issues.find(
    ({ path, type }) => type === 'literal' && path?.map(({ key }) => key).join('.') === 'schema',
  )
  return issue ? Number(issue.expected) : null
}

const malformed = (raw: RawEntry, why: string): UnderstudyError =>
  new UnderstudyError(
    EXIT.data,
    `the value of Consul's key ${raw.Key} is malformed (${why}); correct it with consul kv put`,
  )
