import type { Seats } from '../consul/schemas.ts'
import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { renderHosts } from './config.ts'

/** How the last run of the handler ended. */
export interface SearchReport {
  /** The list of the other servers as it left it; null where that failed. */
  hosts: string | null
  problems: readonly string[]
}

export interface SearchCheckFacts {
  mode: string | null
  configured: string | null
  seats: Seats | null | Unknown
  /** Of the handler; null: it has not run since the boot. */
  report: SearchReport | null
  /** Older than this the report does not count: somebody may have changed the file. */
  isOld: boolean
  /** Its last run failed. */
  failed: boolean
}

export interface SearchCheckPlan extends CheckPlan {
  do: 'nothing' | 'start'
}

/** Whether the handler has to run: this user does not see the directory of the server. */
export function decideSearchCheck(facts: SearchCheckFacts): SearchCheckPlan {
  const { mode, configured, seats, report, isOld, failed } = facts
  // What is missing, the upgrade's line of the check says.
  if (mode === null || mode !== configured)
    return { do: 'nothing', why: 'the search server is not set up', problems: [] }
  if (failed)
    return {
      ...{ do: 'start', why: 'the last look failed' },
      problems: report?.problems.length
        ? report.problems
        : ['search: understudy-search.service has failed; see journalctl -u understudy-search'],
    }
  if (report === null || isOld)
    return { do: 'start', why: 'nobody has looked at the search server for a while', problems: [] }
  if (mode === 'local') return { do: 'nothing', why: 'the search server is set up', problems: [] }
  if (seats === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer', problems: report.problems }
  if (report.problems.length > 0)
    return { do: 'start', why: 'the last look found a problem', problems: report.problems }
  if (seats !== null && report.hosts !== renderHosts(seats))
    return { do: 'start', why: 'the members have changed', problems: [] }
  return { do: 'nothing', why: 'the search server knows the members', problems: [] }
}
