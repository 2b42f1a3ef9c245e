import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** What PostgreSQL has counted since its statistics began: a copy begins them anew, and so does a crash. */
export interface DamagedPages {
  /** Pages that somebody has read whose checksum was wrong, see pg_stat_database. Always 0 without checksums. */
  failures: number
  /** The last one, in UTC; null without one. */
  last: string | null
  role: 'primary' | 'standby'
}

/** Nothing is repaired: a server that runs may hold what no other one has. */
export function decideDamagedPagesCheck({ pages }: { pages: DamagedPages | Unknown }): CheckPlan {
  if (pages === UNKNOWN) return { do: 'nothing', why: 'PostgreSQL does not answer', problems: [] }
  const { failures, last, role } = pages
  if (failures === 0) return { do: 'nothing', why: 'no page with a wrong checksum was read', problems: [] }
  const remedy =
    role === 'standby'
      ? 'run "understudy rejoin --clone" on this machine'
      : 'check the disk, stop PostgreSQL here so that a standby takes over, then run "understudy rejoin --clone"'
  const why = `PostgreSQL has met a wrong checksum ${failures === 1 ? 'once' : `${failures} times`}, at last at ${last}: ${remedy}`
  return { do: 'nothing', why, problems: [why] }
}
