import { appendFileSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncToDisk } from '../core/atomic-files.ts'
import { slotName, standbyLines } from './config.ts'
import { repmgrConninfo } from './config-repmgr.ts'
import { postgresqlPaths } from './manifest.ts'

/** What a start of PostgreSQL would find. */
export function inspectData(version: number): {
  data: 'intact' | 'unpublished' | 'torn' | 'missing'
  standbySignal: boolean
} {
  const directory = postgresqlPaths.data(version)
  const marked = existsSync(postgresqlPaths.promotionMarker(version)) ? 'unpublished' : 'intact'
  const complete = existsSync(`${directory}/PG_VERSION`) ? marked : 'missing'
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
 */
export const markPromotion = (version: number): void =>
  mark(postgresqlPaths.promotionMarker(version), 'promoted, but not yet published as the primary\n')

export const unmarkRewind = (version: number): void =>
  rmSync(postgresqlPaths.rewindMarker(version), { force: true })
export const unmarkPromotion = (version: number): void =>
  rmSync(postgresqlPaths.promotionMarker(version), { force: true })

export interface Upstream {
  host: string
  port: number
}

/**
 * Makes a stopped data directory start as a standby of `upstream`, also after a power cut. The last line of postgresql.auto.conf
 * wins.
 */
export function makeStandby(
  directory: string,
  member: { node: string; repmgrId: number },
  upstream: Upstream,
): void {
  const conninfo = repmgrConninfo(member.node, upstream.host, upstream.port)
  const [settings, signal] = [`${directory}/postgresql.auto.conf`, `${directory}/standby.signal`]
  appendFileSync(settings, standbyLines(conninfo, slotName(member.repmgrId)))
  syncToDisk(settings)
  writeFileSync(signal, '')
  syncToDisk(signal)
  syncToDisk(directory)
}

/**
 * Puts a complete copy in the place of the data directory. What was there is removed only after the copy is in place; a
 * power cut at any point leaves a directory that is whole or none, and then the old one is still there under another name.
 */
export function swapIn(version: number): void {
  const [current, incoming, outgoing] = [
    postgresqlPaths.data(version),
    postgresqlPaths.incoming(version),
    postgresqlPaths.outgoing(version),
  ]
  if (existsSync(current)) {
    rmSync(outgoing, { recursive: true, force: true })
    renameSync(current, outgoing)
  }
  renameSync(incoming, current)
  syncToDisk(dirname(current))
  unmarkRewind(version)
  unmarkPromotion(version)
  rmSync(outgoing, { recursive: true, force: true })
}
