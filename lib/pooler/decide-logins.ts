import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface LoginFacts {
  /** This machine is the primary. */
  leads: boolean
  database: string
  /** The database has what PgBouncer asks for. Unknown if it does not answer, or does not exist. */
  found: boolean | Unknown
}

/** The primary makes what is missing; its standbys get it from there. */
export function decideLogins({ leads, database, found }: LoginFacts): CheckPlan {
  if (!leads || found !== false)
    return {
      do: 'nothing',
      why: found === UNKNOWN ? 'the database does not answer' : 'PgBouncer can ask for logins',
      problems: [],
    }
  const why = `PgBouncer cannot ask database ${database} who may log in`
  return { do: 'start', why, problems: [why] }
}
