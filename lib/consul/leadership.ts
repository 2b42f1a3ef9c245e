import type { Entry } from './entry.ts'
import type { Leader, Primary } from './manifest.ts'

/** The two documents in Consul that say who the primary is: the lock (intent) and the published primary (fact). */
export interface Leadership {
  leader: Entry<Leader> | null
  primary: Primary | null
}

/** The published primary while it holds the lock under which it was published. */
export interface CurrentPrimary extends Primary {
  /** The epoch, whichever build has published it. */
  index: number
}

/** What a publication says of its epoch. */
export const epochOf = ({ index, epoch }: Primary): number => index ?? epoch

/**
 * The one machine that may be written to: it is published, and it holds the lock with the epoch of its publication. null if there
 * is none at the moment.
 */
export function currentPrimary({ leader, primary }: Leadership): CurrentPrimary | null {
  if (!leader?.session || !primary || leader.value.node !== primary.node) return null
  const { lockIndex, modifyIndex } = leader
  const isUnderIt = primary.index === undefined ? lockIndex === primary.epoch : modifyIndex === primary.index
  return isUnderIt ? { ...primary, index: modifyIndex } : null
}

/**
 * The published primary where its lock is free, and no other machine has taken it since: Consul has lost sight of it, or its database
 * has failed. null where the lock is held, or where another machine held it last. Consul writes the key when it frees the lock, so
 * that only LockIndex is still that of the publication.
 */
export function unlockedPrimary({ leader, primary }: Leadership): Primary | null {
  if (!leader || leader.session !== null || !primary) return null
  return leader.value.node === primary.node && leader.lockIndex === primary.epoch ? primary : null
}

/** Is the agent at this address the one that Consul names as the leader of its servers, as `10.77.0.11:8300`? */
export const leadsConsul = (leader: string | null, address: string): boolean =>
  leader?.startsWith(`${address}:`) === true
