import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface RestartFacts {
  /** Settings that the server has read and will take at its next start. Unknown if it does not answer, which another line says. */
  pending: readonly string[] | Unknown
  role: 'primary' | 'standby' | Unknown
  /** The unit of this PostgreSQL. */
  unit: string
}

/** Nothing is restarted: on the primary that may be a failover, and when it suits the clients only a person knows. */
export function decideRestartCheck({ pending, role, unit }: RestartFacts): CheckPlan {
  if (pending === UNKNOWN) return { do: 'nothing', why: 'PostgreSQL does not answer', problems: [] }
  if (pending.length === 0)
    return { do: 'nothing', why: 'every setting of PostgreSQL is in effect', problems: [] }
  const first = role === 'primary' ? ', the standbys first' : ''
  const why = `PostgreSQL has to be restarted for ${pending.join(', ')}; run "systemctl restart ${unit}"${first}`
  return { do: 'nothing', why, problems: [why] }
}
