import { appendFileSync, existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { exists, readText, replaceFile, syncToDisk } from '../core/atomic-files.ts'
import { keepNothing } from '../core/questions.ts'
import type { Unknown } from '../core/unknown.ts'
import { slotName, standbyLines } from './config.ts'
import { streamConninfo } from './config-repmgr.ts'
import { isUnpublished, type RejoinFacts } from './decide-rejoin.ts'
import { postgresqlPaths } from './manifest.ts'
import type { LocalDatabase } from './role.ts'
import { type Directories, removeReplaced, swap } from './swap.ts'
import { locationsOf } from './tablespaces.ts'

/**
 * What a start of PostgreSQL would find.
 * @param local what runs from it.
 */
export function inspectData(
  version: number,
  local: LocalDatabase | Unknown,
): {
  data: RejoinFacts['data']
  standbySignal: boolean
} {
  const directory = postgresqlPaths.data(version)
  const marked = isUnpublished(promotionMark(version), local) ? 'unpublished' : 'intact'
  const wanted = existsSync(postgresqlPaths.unwantedMarker(version)) ? 'unwanted' : marked
  const complete = existsSync(`${directory}/PG_VERSION`) ? wanted : 'missing'
  return {
    data: existsSync(postgresqlPaths.rewindMarker(version)) ? 'torn' : complete,
    standbySignal: existsSync(`${directory}/standby.signal`),
  }
}

function mark(path: string, text: string): void {
  writeFileSync(path, text)
  syncToDisk(dirname(path))
}

/** Marks a directory that pg_rewind changes: if it is interrupted, the directory is unusable. */
export const markRewind = (version: number): void =>
  mark(postgresqlPaths.rewindMarker(version), 'pg_rewind is at work in the directory beside this file\n')

/**
 * Marks a promotion that is not published yet. Another member may be promoted to a timeline of the same number, and pg_rewind would
 * take the two for one.
 * @param timeline the one that this machine leaves.
 */
export const markPromotion = (version: number, timeline: number): void =>
  mark(
    postgresqlPaths.promotionMarker(version),
    `promoted from timeline ${timeline}, but not yet published as the primary\n`,
  )

/** @returns the timeline that an unpublished promotion left, 0 where the mark does not tell; null if there was none. */
export function promotionMark(version: number): number | null {
  const text = readText(postgresqlPaths.promotionMarker(version))
  return text === null ? null : Number(/timeline (\d+)/.exec(text)?.[1] ?? 0)
}

export const unmarkRewind = (version: number): void =>
  rmSync(postgresqlPaths.rewindMarker(version), { force: true })
export const unmarkPromotion = (version: number): void =>
  rmSync(postgresqlPaths.promotionMarker(version), { force: true })

/** Marks data that an operator wants to be replaced by a copy of the primary. */
export const markUnwanted = (version: number): void =>
  mark(
    postgresqlPaths.unwantedMarker(version),
    'understudy rejoin --clone: to be replaced by a copy of the primary\n',
  )

/** Has a copy not yet taken the place of data that an operator wants to be replaced? */
export const isUnwanted = (version: number): boolean => existsSync(postgresqlPaths.unwantedMarker(version))

/** Marks data that is older than what was confirmed, for the check. @param why a sentence for the operator. */
export const markStale = (version: number, why: string): boolean =>
  replaceFile(postgresqlPaths.staleMarker(version), `${why}\n`)

export const unmarkStale = (version: number): void =>
  rmSync(postgresqlPaths.staleMarker(version), { force: true })

export interface Upstream {
  host: string
  port: number
}

/**
 * Makes a stopped data directory start as a standby of `upstream`, also after a power cut. The last line of postgresql.auto.conf
 * wins.
 * @param upstream null: it stands still until `follow` or an election.
 */
export function makeStandby(
  directory: string,
  member: { node: string; repmgrId: number },
  upstream: Upstream | null,
): void {
  const conninfo = upstream === null ? '' : streamConninfo(member.node, upstream.host, upstream.port)
  const [settings, signal] = [`${directory}/postgresql.auto.conf`, `${directory}/standby.signal`]
  appendFileSync(settings, standbyLines(conninfo, slotName(member.repmgrId)))
  syncToDisk(settings)
  writeFileSync(signal, '')
  syncToDisk(signal)
  syncToDisk(directory)
}

const directories = (version: number): Directories => ({
  current: postgresqlPaths.data(version),
  incoming: postgresqlPaths.incoming(version),
  outgoing: postgresqlPaths.outgoing(version),
})

/**
 * Puts a complete copy in the place of the data directory.
 * @param keep leaves what was replaced as main.outgoing, unless it has tablespaces: pg_rewind on another member would take what lies
 * in their directories for data of this one.
 */
export function swapIn(version: number, keep: boolean): void {
  swap(directories(version), version)
  unmarkRewind(version)
  unmarkPromotion(version)
  rmSync(postgresqlPaths.unwantedMarker(version), { force: true })
  if (!keep || locationsOf(postgresqlPaths.outgoing(version)).length > 0) dropOutgoing(version)
}

/** Less of a disk that is free is too little to keep on it what a copy has replaced. */
const FREE_SHARE = 0.2

/** Is what the last copy replaced still there, on a disk that is getting full? */
export function isCrowded(version: number): boolean {
  if (!exists(postgresqlPaths.outgoing(version))) return false
  keepNothing()
  const { bavail, blocks } = statfsSync(postgresqlPaths.outgoing(version))
  return bavail < blocks * FREE_SHARE
}

/** Removes what the last copy replaced, unless there is nothing in its place yet. */
export const dropOutgoing = (version: number): void => removeReplaced(directories(version))
