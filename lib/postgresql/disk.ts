import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { exists, replaceFile } from '../core/atomic-files.ts'
import type { CheckLine } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { type Connection, WAITS_FOR_WAL, withDatabase } from './client.ts'
import { localDatabase, nobodyListens } from './database.ts'
import { type DiskFacts, type DiskPlan, decideDisk, STUCK_MS } from './decide-disk.ts'
import { postgresqlPaths } from './manifest.ts'

/** How long the database may take to answer, beside the time in which it is watched. */
const DATABASE_MS = 2000
/** Between two looks at a process that waits to write WAL: mostly the next one finds that it was written. */
const LOOK_AGAIN_MS = 500

/** Notices a disk that hangs under a primary, and lets `database-check` say so. Reads nothing of that disk. */
export const disk: CheckLine<Context, DiskFacts, DiskPlan> = {
  name: 'disk',
  async observe({ settings }) {
    const target = localDatabase('understudy_monitor', settings.postgresqlPort)
    const stuckMs = await withDatabase(target, STUCK_MS + DATABASE_MS, watchWal).catch(
      (error: unknown): null | Unknown => (nobodyListens(error) ? null : UNKNOWN),
    )
    return { stuckMs, marked: exists(postgresqlPaths.diskHangs) }
  },
  decide: decideDisk,
  async apply(plan) {
    if (plan.do === 'mark') replaceFile(postgresqlPaths.diskHangs, `${plan.why}\n`)
    if (plan.do === 'unmark') rmSync(postgresqlPaths.diskHangs, { force: true })
  },
}

/** Watches for as long as a process waits to write WAL and none is written. */
async function watchWal(connection: Connection): Promise<number | null> {
  const started = performance.now()
  const first = await readWal(connection)
  if (first.flushed === null) return null
  for (let now = first; ; now = await readWal(connection)) {
    const elapsedMs = performance.now() - started
    if (!now.waits || now.flushed !== first.flushed) return 0
    if (elapsedMs >= STUCK_MS) return elapsedMs
    await pause(LOOK_AGAIN_MS)
  }
}

/** Up to where WAL is on disk (null on a standby), and whether a process waits to write more: for the disk, or for the one that does. */
async function readWal(connection: Connection): Promise<{ flushed: string | null; waits: boolean }> {
  const [row] = await connection.query<{ flushed: string | null; waits: boolean }>(
    `select case when not pg_is_in_recovery() then pg_current_wal_flush_lsn()::text end as flushed,
       exists (select from pg_stat_activity where ${WAITS_FOR_WAL}) as waits`,
  )
  return row ?? { flushed: null, waits: false }
}
