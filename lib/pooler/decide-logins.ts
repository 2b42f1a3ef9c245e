import type { CheckPlan } from '../core/component.ts'
import type { Unknown } from '../core/unknown.ts'

export interface LoginFacts {
  /** On the primary, for each database behind PgBouncer: it has what PgBouncer asks for. Unknown if it does not answer or does not exist. */
  found: ReadonlyMap<string, boolean | Unknown>
}

/** The primary makes what is missing; its standbys get it from there. */
export function decideLogins({ found }: LoginFacts): CheckPlan {
  const problems = [...found]
    .filter(([, there]) => there === false)
    .map(([database]) => `PgBouncer cannot look up logins in the database ${database}`)
  if (problems[0] === undefined) return { do: 'nothing', why: 'PgBouncer can ask for logins', problems }
  return { do: 'start', why: problems[0], problems }
}
