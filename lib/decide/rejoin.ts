import type { Primary } from '../kv.ts'
import { currentPrimary, type Leadership, type LocalDatabase, UNKNOWN, type Unknown } from './facts.ts'

export interface RejoinFacts {
  node: string
  leadership: Leadership | Unknown
  local: LocalDatabase | Unknown
  /** `intact`: a data directory that PostgreSQL could start; `torn`: a rewind in it was interrupted; `missing`: none. */
  data: 'intact' | 'torn' | 'missing'
  /** standby.signal is there. */
  standbySignal: boolean
}

export type RejoinPlan =
  | { do: 'nothing' | 'wait'; why: string }
  /** Start PostgreSQL: it is a standby already. */
  | { do: 'start'; why: string }
  /** Stop PostgreSQL, rewind it onto the primary (or clone it where that fails), start it as a standby. */
  | { do: 'rewind' | 'clone'; why: string; primary: Primary }

/** How a machine that is not the primary becomes a standby again. */
export function decideRejoin({ node, leadership, local, data, standbySignal }: RejoinFacts): RejoinPlan {
  if (leadership === UNKNOWN) return { do: 'wait', why: 'Consul does not answer' }
  const primary = currentPrimary(leadership)
  if (!primary) return { do: 'wait', why: 'nobody holds the lock' }
  if (primary.node === node) return { do: 'nothing', why: 'this machine is the primary' }
  if (data !== 'intact') return { do: 'clone', why: `the data directory is ${data}`, primary }
  if (local === UNKNOWN) return { do: 'wait', why: 'PostgreSQL does not answer' }
  if (local.role === 'standby') return { do: 'nothing', why: 'runs as a standby' }
  if (local.role === 'down' && standbySignal) return { do: 'start', why: 'PostgreSQL does not run' }
  return { do: 'rewind', why: `${primary.node} is the primary`, primary }
}
