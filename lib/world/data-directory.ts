import { appendFileSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { paths } from '../paths.ts'
import { slotName, standbyLines } from '../render/postgresql.ts'
import { repmgrConninfo } from '../render/repmgr.ts'
import { syncDirectory } from './files.ts'

/** Lies beside the data directory while pg_rewind changes it: a directory that it left half-way cannot be used. */
const tornMarker = (version: number): string => `${paths.postgresqlData(version)}.rewinding`

/** What a start would find. */
export function inspectData(version: number): {
  data: 'intact' | 'torn' | 'missing'
  standbySignal: boolean
} {
  const directory = paths.postgresqlData(version)
  const complete = existsSync(`${directory}/PG_VERSION`)
  return {
    data: existsSync(tornMarker(version)) ? 'torn' : complete ? 'intact' : 'missing',
    standbySignal: existsSync(`${directory}/standby.signal`),
  }
}

/** Marks the data directory as being changed in a way that must be finished or thrown away. */
export function markTorn(version: number): void {
  writeFileSync(tornMarker(version), 'pg_rewind is at work in the directory beside this file\n')
  syncDirectory(dirname(tornMarker(version)))
}

export const unmarkTorn = (version: number): void => rmSync(tornMarker(version), { force: true })

export interface Upstream {
  host: string
  port: number
}

/** Makes a stopped data directory start as a standby of `upstream`. The last line of postgresql.auto.conf wins. */
export function makeStandby(
  directory: string,
  member: { node: string; repmgrId: number },
  upstream: Upstream,
): void {
  const conninfo = repmgrConninfo(member.node, upstream.host, upstream.port)
  appendFileSync(`${directory}/postgresql.auto.conf`, standbyLines(conninfo, slotName(member.repmgrId)))
  writeFileSync(`${directory}/standby.signal`, '')
  syncDirectory(directory)
}

/**
 * Puts a complete copy in the place of the data directory. What was there is removed only after the copy is in place; a
 * power cut at any point leaves a directory that is whole or none, and then the old one is still there under another name.
 */
export function swapIn(version: number): void {
  const [current, incoming, outgoing] = [
    paths.postgresqlData(version),
    paths.postgresqlIncoming(version),
    paths.postgresqlOutgoing(version),
  ]
  if (existsSync(current)) {
    rmSync(outgoing, { recursive: true, force: true })
    renameSync(current, outgoing)
  }
  renameSync(incoming, current)
  syncDirectory(dirname(current))
  unmarkTorn(version)
  rmSync(outgoing, { recursive: true, force: true })
}
