import type { Entry } from './entry.ts'
import type { Leader, Primary } from './manifest.ts'

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
