/** The verdict on what clients were told: pure, from evidence alone. */
import type { Attempt, Copy, Evidence, Violation } from './evidence.ts'

/** How many values are named in one violation. */
const SHOWN = 5

/** What one database acknowledged on one timeline. */
interface Reign {
  server: string
  timeline: number
  firstAckAt: number
  lastSentAt: number
  lastSent: Attempt
}

/** Every promise that this evidence shows to be broken. */
export function judge({ attempts, rows, sightings, commitsWait, overlapMs = 0 }: Evidence): Violation[] {
  const reigns = reignsOf(attempts)
  return [
    ...judgeRows(attempts, rows, commitsWait),
    ...sharedTimelines(reigns),
    ...overlaps(reigns, overlapMs),
    ...returnedAsPrimary(sightings, reigns),
  ]
}

/** The copies that are none: what a standby confirms it must have, and nothing of an abandoned timeline beside it. */
export function judgeCopies(copies: readonly Copy[]): Violation[] {
  return copies.flatMap(({ machine, before, rows, after }) => {
    const own = new Set(rows)
    const known = new Set(after)
    const missing = before.filter((value) => !own.has(value))
    const extra = rows.filter((value) => !known.has(value))
    return [
      ...several('differs', missing, String, `missing on ${machine}, a standby`),
      ...several('differs', extra, String, `only on ${machine}, a standby`),
    ]
  })
}

/** The acknowledged rows that are not there. */
export function lostIn({ attempts, rows }: Pick<Evidence, 'attempts' | 'rows'>): Attempt[] {
  const found = new Set(rows)
  return attempts.filter(({ acknowledged, value }) => acknowledged !== null && !found.has(value))
}

/** The values that are there more than once. */
export function doubledIn({ rows }: Pick<Evidence, 'rows'>): number[] {
  const found = new Set<number>()
  return rows.filter((value) => found.size === found.add(value).size)
}

/** Every acknowledged row is there exactly once, unless commits do not wait; and nothing is there that nobody sent. */
function judgeRows(attempts: readonly Attempt[], rows: readonly number[], commitsWait: boolean): Violation[] {
  const sent = new Set(attempts.map(({ value }) => value))
  const invented = rows.filter((value) => !sent.has(value))
  return [
    ...several(
      'lost',
      commitsWait ? lostIn({ attempts, rows }) : [],
      (attempt) => `${attempt.value} (${describe(attempt)})`,
      'acknowledged, not there',
    ),
    ...several('double', doubledIn({ rows }), String, 'there more than once'),
    ...several('invented', invented, String, 'there, but never sent'),
  ]
}

function several<T>(
  rule: Violation['rule'],
  items: readonly T[],
  name: (item: T) => string,
  what: string,
): Violation[] {
  if (items.length === 0) return []
  const shown = items.slice(0, SHOWN).map(name).join(', ')
  return [{ rule, detail: `${items.length} ${what}: ${shown}${items.length > SHOWN ? ', ...' : ''}` }]
}

function describe({ writer, acknowledged }: Attempt): string {
  return acknowledged === null
    ? writer
    : `${writer}, by ${acknowledged.server} on timeline ${acknowledged.timeline}`
}

/** Who acknowledged on which timeline and when, in the order of the timelines. */
export function reignsOf(attempts: readonly Attempt[]): Reign[] {
  const reigns = new Map<string, Reign>()
  for (const attempt of attempts) {
    if (attempt.acknowledged === null) continue
    const { server, timeline, at } = attempt.acknowledged
    const key = `${timeline} ${server}`
    const reign = reigns.get(key)
    if (reign === undefined) {
      reigns.set(key, { server, timeline, firstAckAt: at, lastSentAt: attempt.sentAt, lastSent: attempt })
      continue
    }
    reign.firstAckAt = Math.min(reign.firstAckAt, at)
    if (attempt.sentAt > reign.lastSentAt) {
      reign.lastSentAt = attempt.sentAt
      reign.lastSent = attempt
    }
  }
  return [...reigns.values()].sort((a, b) => a.timeline - b.timeline || a.firstAckAt - b.firstAckAt)
}

function sharedTimelines(reigns: readonly Reign[]): Violation[] {
  return reigns.flatMap((reign, index) => {
    const before = reigns[index - 1]
    if (before?.timeline !== reign.timeline) return []
    return [
      {
        rule: 'shared timeline' as const,
        detail: `${before.server} and ${reign.server} both acknowledged on timeline ${reign.timeline}`,
      },
    ]
  })
}

/**
 * Two databases on different timelines may not acknowledge side by side. A row counts from when it was sent: the
 * answer to a commit that was made in time may arrive late, from a machine that was frozen.
 */
function overlaps(reigns: readonly Reign[], toleratedMs: number): Violation[] {
  return reigns.flatMap((older) =>
    reigns
      .filter((newer) => newer.timeline > older.timeline && older.lastSentAt > newer.firstAckAt + toleratedMs)
      .map((newer) => ({
        rule: 'overlap' as const,
        detail:
          `${older.server} acknowledged ${older.lastSent.value} on timeline ${older.timeline}, which was sent ` +
          `${Math.round(older.lastSentAt - newer.firstAckAt)} ms after the first acknowledgement by ${newer.server} ` +
          `on timeline ${newer.timeline}`,
      })),
  )
}

/** A database that is started when a newer primary has already acknowledged something never runs as a primary. */
function returnedAsPrimary(sightings: Evidence['sightings'], reigns: readonly Reign[]): Violation[] {
  const told = new Set<string>()
  return sightings.flatMap(({ machine, role, timeline, startedAfter }) => {
    const life = `${machine} ${startedAfter}`
    const newer = reigns.find((reign) => reign.timeline > timeline && reign.firstAckAt < startedAfter)
    if (role !== 'primary' || newer === undefined || told.has(life)) return []
    told.add(life)
    return [
      {
        rule: 'returned as primary' as const,
        detail:
          `${machine} was started as a primary on timeline ${timeline}, when ${newer.server} had already ` +
          `acknowledged on timeline ${newer.timeline}`,
      },
    ]
  })
}
