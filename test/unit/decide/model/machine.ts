import type { LocalDatabase } from '../../../../lib/decide/facts.ts'
import type { FailoverPlan } from '../../../../lib/decide/failover.ts'
import type { StartGatePlan } from '../../../../lib/decide/start-gate.ts'

/** A machine of the model: its database, and where its handlers stand. */
export interface Machine {
  readonly node: string
  readonly id: number
  powered: boolean
  /** Neither Consul nor anyone's database can be reached from here, nor this database from elsewhere. */
  isolated: boolean
  /** The database is not reachable from other machines, while Consul is: the two witnesses disagree. */
  muted: boolean
  role: LocalDatabase['role']
  /** standby.signal is there: a start makes it a standby. */
  standbySignal: boolean
  timeline: number
  lsn: bigint
  /** Plans made and not carried out yet: by then the facts may be old. */
  failover: FailoverPlan | null
  gate: StartGatePlan | null
  waitedMs: number
}

export const newMachine = (id: number, timeline: number): Machine => ({
  node: `n${id}`,
  id,
  powered: true,
  isolated: false,
  muted: false,
  role: id === 1 ? 'primary' : 'standby',
  standbySignal: id !== 1,
  timeline,
  lsn: 10n,
  failover: null,
  gate: null,
  waitedMs: 0,
})

export const tell = ({ role, timeline, lsn }: Machine): LocalDatabase => {
  if (role === 'standby') return { role, timeline, receivedLsn: lsn }
  return role === 'primary' ? { role, timeline } : { role }
}
