import type { Entry } from '../consul/entry.ts'
import type { Leadership } from '../consul/leadership.ts'
import type { DurabilityMode, Leader } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { isOlder, type Position } from './decide-lineage.ts'
import { FAILED_STARTS } from './decide-starts.ts'
import { formatLsn } from './lsn.ts'

/** What else Consul holds of the cluster. `join` writes the settings first, and members only after the first primary. */
export interface ClusterTraces {
  config: boolean
  /** Names of machines that are members by any document. */
  members: readonly string[]
  /** An election rule. */
  sync: boolean
}

/** What this machine's data is compared with before it leads again. */
export interface StartEvidence {
  /** Where the data of this machine ends, or the highest of `found` if it goes that far; unknown if it could not be read in time. */
  own: Position | Unknown
  /** Who has what: Consul, and the standbys that answer. */
  found: readonly Finding[]
  /** The other members that have not said what they have. */
  silent: readonly string[]
}

export interface Finding extends Position {
  who: string
}

/** How long a start waits for the other members to say what they have: machines of a site that boot together differ by about this much. */
export const SILENT_MEMBER_MS = 10_000

export interface StartGateFacts {
  /** The database that starts is the cluster's, not another one on this machine. */
  ours: boolean
  node: string
  /** Why PostgreSQL would start from other data than this member's; null if it would not. */
  elsewhere: string | null | Unknown
  /** standby.signal is there: PostgreSQL starts as a standby, whatever it was before. */
  standbySignal: boolean
  /** Of a standby: how its starts have ended; unknown if that could not be read, null of any other machine. */
  starts: { failed: number; dueInMs: number; position: string | null } | null | Unknown
  leadership: Leadership | Unknown
  /** Ids of this machine's own sessions that may hold the lock. */
  ownSessions: readonly string[] | Unknown
  /** Read only if no primary is published. */
  traces: ClusterTraces | Unknown | null
  /** Its data was compared with what was confirmed since the boot: a restart in place, under a lock that it still holds, loses nothing. */
  compared: boolean
  /** Read only if this machine would take the free lock, or holds one from before the boot. */
  evidence: StartEvidence | Unknown | null
  /** Since this run began. */
  waitedMs: number
}

/**
 * `allow` starts; `lock` takes the lock first; `refuse` does not start and rejoins instead; `wait` looks again; so does `stale`, and
 * leaves the lock to a machine that has what this one lacks.
 */
export type StartGatePlan =
  | { do: 'nothing' | 'refuse' | 'stale'; why: string }
  /** `standby`: it gets at least those settings that its primary had. `starts`: what to remember of this start. */
  | {
      do: 'allow'
      why: string
      standby?: true
      starts?: { failed: number; position: string | null }
      /** Its data has what was confirmed: that need not be looked at again before the next boot. */
      compared?: true
    }
  /** `withdraw`: nobody says that this machine still leads, so it gives up the virtual IP. */
  | { do: 'wait'; why: string; withdraw?: true }
  /** Only if the lock is as it was seen: its ModifyIndex, 0 where it was never taken. */
  | { do: 'lock'; why: string; modifyIndex: number }

const NO_ANSWER = 'Consul does not say who is the primary'
const WHERE: StartGatePlan = {
  do: 'wait',
  why: 'it could not be read which data PostgreSQL would start from',
}
const ACCEPT =
  'PostgreSQL starts here as the primary again when the newer data is back; see "Data that went back in time" in docs/operator/operations.md'
const RESTORE = 'restore a snapshot of Consul (consul snapshot restore); PostgreSQL then starts by itself'

/** A standby that fails to start is started ever more slowly, and rejoined when that has happened too often. */
function decideStandby(starts: StartGateFacts['starts']): StartGatePlan {
  const why = 'it starts as a standby'
  if (starts === null || starts === UNKNOWN) return { do: 'allow', why, standby: true }
  const { failed, dueInMs, position } = starts
  if (dueInMs <= 0) return { do: 'allow', why, standby: true, starts: { failed, position } }
  const said = `PostgreSQL has failed to start ${failed} ${failed === 1 ? 'time' : 'times'}`
  return failed >= FAILED_STARTS
    ? { do: 'refuse', why: said }
    : { do: 'wait', why: `${said}, and it is too early for the next attempt` }
}

/** PostgreSQL starts as a primary only if Consul says that this machine is the primary and holds the lock. */
export function decideStartGate({
  ours,
  node,
  elsewhere,
  standbySignal,
  starts,
  leadership,
  ownSessions,
  traces,
  compared,
  evidence,
  waitedMs,
}: StartGateFacts): StartGatePlan {
  if (!ours) return { do: 'nothing', why: 'this database does not belong to the cluster' }
  // What lies in the member's own place says nothing then.
  if (elsewhere !== null && elsewhere !== UNKNOWN) return { do: 'refuse', why: elsewhere }
  if (standbySignal) return elsewhere === UNKNOWN ? WHERE : decideStandby(starts)
  if (leadership === UNKNOWN || ownSessions === UNKNOWN) return { do: 'wait', why: NO_ANSWER, withdraw: true }
  if (elsewhere === UNKNOWN) return WHERE
  const { leader, primary } = leadership
  if (!primary) return decideUnpublished(node, leader, traces)
  if (primary.node !== node) return { do: 'refuse', why: `${primary.node} is the primary` }
  if (!leader?.session)
    return (
      decideStale(evidence, waitedMs) ?? {
        do: 'lock',
        why: 'this machine is the primary and the lock is free',
        modifyIndex: leader?.modifyIndex ?? 0,
      }
    )
  if (ownSessions.includes(leader.session))
    return (
      (compared ? null : decideStale(evidence, waitedMs)) ?? {
        do: 'allow',
        why: 'this machine is the primary and holds the lock',
        compared: true,
      }
    )
  return { do: 'wait', why: `${leader.value.node} has taken the lock` }
}

/** Why data that may have gone back in time does not lead, or null. */
function decideStale(evidence: StartGateFacts['evidence'], waitedMs: number): StartGatePlan | null {
  if (evidence === UNKNOWN || evidence === null)
    return { do: 'wait', why: 'it is not known yet whether this data contains everything that was confirmed' }
  const { own, found, silent } = evidence
  const newest = newestOf(found)
  if (own === UNKNOWN)
    return { do: 'wait', why: `the end of this data could not be read in time; ${sayFinding(newest)}` }
  if (newest !== null && isOlder(own, newest))
    return {
      do: 'stale',
      why: `this data is older than what was confirmed: it ends at ${sayPosition(own)}, and ${sayFinding(newest)}. ${ACCEPT}`,
    }
  if (silent.length > 0 && waitedMs < SILENT_MEMBER_MS)
    return {
      do: 'wait',
      why: `it is not known yet how much ${silent.join(' and ')} ${silent.length === 1 ? 'has' : 'have'}`,
    }
  return null
}

/**
 * Can what this standby has have been confirmed under the published primary? A later timeline than the published one is a promotion
 * that was never published. In mode `async`, one of the same number may be that, too, and only a voter is known to have followed the
 * published one. In the other modes it is counted: it may be all that is left of what was confirmed.
 */
export function mayHaveConfirmed(
  standby: { node: string; timeline: number },
  published: number,
  mode: DurabilityMode | undefined,
  voters: readonly string[],
): boolean {
  if (standby.timeline !== published || mode !== 'async') return standby.timeline <= published
  return voters.includes(standby.node)
}

/** The latest of all findings, or null if there are none. */
export const newestOf = (found: readonly Finding[]): Finding | null =>
  found.reduce<Finding | null>(
    (newest, one) => (newest === null || isOlder(newest, one) ? one : newest),
    null,
  )

const sayPosition = ({ timeline, lsn }: Position): string => `${formatLsn(lsn)} on timeline ${timeline}`
const sayFinding = (finding: Finding | null): string =>
  finding === null ? 'nothing is known of it' : `${finding.who} has ${sayPosition(finding)}`

/**
 * No primary is published: this is the first machine before the end of its join, or Consul has lost the document. In the second
 * case another machine may have newer data, so nothing starts as a primary.
 */
function decideUnpublished(
  node: string,
  leader: Entry<Leader> | null,
  traces: StartGateFacts['traces'],
): StartGatePlan {
  if (traces === UNKNOWN || traces === null) return { do: 'wait', why: NO_ANSWER }
  if (!traces.config)
    return { do: 'wait', why: `Consul holds no cluster, but this machine is a member of one: ${RESTORE}` }
  const lockedByOther = leader !== null && leader.value.node !== node
  if (traces.members.length > 0 || traces.sync || lockedByOther)
    return { do: 'wait', why: `postgresql/primary is missing in Consul, but there has been one: ${RESTORE}` }
  return { do: 'allow', why: 'this cluster has no primary yet' }
}
