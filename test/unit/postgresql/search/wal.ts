import { isBeginning, lineage, rewound, timelineOf, type Wal } from '../model/wal.ts'
import type { Node } from './state.ts'

/**
 * The write-ahead log of a machine as text: a letter is a write, a digit the promotion of that machine. "a2b": a write on n1, the
 * promotion of n2, a write there. What is before a record belongs to it, so equal texts are equal logs.
 */
const read = new Map<string, Wal>()
function wal(text: string): Wal {
  const before = read.get(text)
  if (before) return before
  const records = [{ id: 0, timeline: 1, by: null }]
  for (const record of text)
    records.push({
      id: record.charCodeAt(0),
      timeline: (records.at(-1)?.timeline ?? 1) + (isPromotion(record) ? 1 : 0),
      by: null,
    })
  read.set(text, records)
  return records
}

export const isPromotion = (record: string): boolean => record < 'a'
export const timeline = (text: string): number => timelineOf(wal(text))

/** The same few pairs are compared again and again. */
function memoized<T>(compare: (own: string, primary: string) => T): typeof compare {
  const results = new Map<string, T>()
  return (own, primary) => {
    const pair = `${own} ${primary}`
    const before = results.get(pair)
    if (before !== undefined) return before
    const result = compare(own, primary)
    results.set(pair, result)
    return result
  }
}

export const lineageBetween = memoized((own, primary) => lineage(wal(own), wal(primary)))
export const begins = memoized((own, primary) => isBeginning(wal(own), wal(primary)))

/** What pg_rewind leaves of it. */
export const rewind = (own: string, primary: string): string =>
  own.slice(0, rewound(wal(own), wal(primary)).length - 1)

/** The writes on the timeline that it is on, of which clients may still hear. */
export const ownWrites = (text: string): string => text.slice(text.search(/[a-z]*$/))

/** Whose timeline it is. */
export const writer = (text: string): Node => `n${/\d/.exec([...text].reverse().join(''))?.[0] ?? 1}` as Node
