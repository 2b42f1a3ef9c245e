import type { CommitRule, DurabilityPlan } from '../../../../lib/postgresql/decide-durability.ts'
import type { FailoverPlan } from '../../../../lib/postgresql/decide-failover.ts'
import type { FollowPlan } from '../../../../lib/postgresql/decide-follow.ts'
import type { RejoinPlan } from '../../../../lib/postgresql/decide-rejoin.ts'
import type { StartGatePlan } from '../../../../lib/postgresql/decide-start-gate.ts'
import type { Sync } from '../../../../lib/postgresql/manifest.ts'
import type { LocalDatabase } from '../../../../lib/postgresql/role.ts'
import { timelineOf, type Wal } from './wal.ts'

/** A step of the upkeep that was decided on, with what it was decided on. */
interface Upkeep {
  plan: DurabilityPlan
  session: string
  index: number
  /** The rule as it is: written again before what commits wait for is changed. */
  sync: Sync
  written: boolean
}

/** A machine of the model: its database, and where its handlers stand. */
export interface Machine {
  readonly node: string
  readonly id: number
  powered: boolean
  /** Neither Consul nor anyone's database can be reached from here, nor this database from elsewhere. */
  isolated: boolean
  /** Consul cannot be reached from here, while the databases can. */
  cut: boolean
  /** The database does not answer other machines, while Consul and replication go on: the witnesses disagree. */
  muted: boolean
  /** Other machines are answered that there is no connection left, while Consul and replication go on. */
  full: boolean
  /** A primary whose processes have crashed: it lets nobody in and does nothing until it has recovered, without a start gate. */
  recovering: boolean
  role: LocalDatabase['role']
  /** standby.signal is there: a start makes it a standby. */
  standbySignal: boolean
  wal: Wal
  /** What commits wait for, also over a restart. */
  commit: CommitRule
  /** Where replication points, or nowhere: the WAL receiver has stopped. */
  upstream: string | null
  /** A WAL receiver is connected. */
  linked: boolean
  /** The mark of a promotion that is not published yet. */
  promotedFrom: number | null
  /** Stopped by a unit of ours: only rejoin or a boot starts it again. */
  stopped: boolean
  /** Plans made and not carried out yet: by then the facts may be old. */
  failover: FailoverPlan | null
  gate: StartGatePlan | null
  repair: FollowPlan | RejoinPlan | null
  upkeep: Upkeep | null
  waitedMs: number
  /** Since the fence first found it cut off. */
  fenceMs: number
}

/** n1 is the primary, all others stream from it. */
export const newMachine = (id: number, commit: CommitRule): Machine => ({
  node: `n${id}`,
  id,
  powered: true,
  isolated: false,
  cut: false,
  muted: false,
  full: false,
  recovering: false,
  role: id === 1 ? 'primary' : 'standby',
  standbySignal: id !== 1,
  wal: [{ id: 0, timeline: 1, by: null }],
  commit,
  upstream: id === 1 ? null : 'n1',
  linked: id !== 1,
  promotedFrom: null,
  stopped: false,
  failover: null,
  gate: null,
  repair: null,
  upkeep: null,
  waitedMs: 0,
  fenceMs: 0,
})

export const tell = ({ role, wal, upstream, linked }: Machine): LocalDatabase => {
  const timeline = timelineOf(wal)
  if (role === 'standby')
    return {
      role,
      timeline,
      receivedLsn: BigInt(wal.length),
      replayedLsn: BigInt(wal.length),
      receiverStopped: upstream === null && !linked,
    }
  return role === 'primary' ? { role, timeline } : { role }
}
