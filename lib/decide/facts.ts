import type { Entry, Leader, Primary } from '../kv.ts'

/** A read that failed or was not answered in time: a fact like any other. */
export const UNKNOWN = 'unknown'
export type Unknown = typeof UNKNOWN

/** What a PostgreSQL says of itself. */
export type LocalDatabase =
  | { role: 'primary'; timeline: number }
  /** `still`: it takes nothing from any primary, and has read all the WAL it has; its position stays as it is. */
  | { role: 'standby'; timeline: number; receivedLsn: bigint; still: boolean }
  | { role: 'down' }

/** The two documents of Consul that say who leads: the lock (intent) and what was published (fact). */
export interface Leadership {
  leader: Entry<Leader> | null
  primary: Primary | null
}

/**
 * The one machine that may be written to: published, and holding the lock under which it was published.
 * null where there is none at this moment.
 */
export function currentPrimary({ leader, primary }: Leadership): Primary | null {
  if (!leader?.session || !primary) return null
  return leader.value.node === primary.node && leader.lockIndex === primary.epoch ? primary : null
}
