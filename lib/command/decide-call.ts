import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** What the command is told: this machine is the primary, or it is not. keepalived's names. */
export type CommandState = 'MASTER' | 'BACKUP'

/** A call that has succeeded. */
export interface Done {
  state: CommandState
  /** Of the primary at that time. */
  epoch: number
}

export interface CallFacts {
  node: string
  /** The program, or null where the cluster has none. */
  program: string | null
  leadership: Leadership | Unknown | null
  /** The fence has stopped the database of this machine: then Consul is not asked. */
  fenced: boolean
  /** null: none yet since the boot, or a call died. */
  done: Done | null
}

export interface CallPlan {
  do: 'nothing' | 'call'
  why: string
  state?: CommandState
  /** Name of the primary, null on a fenced machine. */
  primary?: string | null
  epoch?: number
}

/**
 * The command is called when this machine becomes the primary, and when it no longer is. A machine that becomes the primary again is
 * called again, because another one may have been it in between. While nobody is the primary, nothing changes.
 */
export function decideCall({ node, program, leadership, fenced, done }: CallFacts): CallPlan {
  if (program === null) return { do: 'nothing', why: 'the cluster has no virtual IP command' }
  const plan = (state: CommandState, epoch: number, primary: string | null, why: string): CallPlan => {
    const same = done?.state === state && (state === 'BACKUP' || done.epoch === epoch)
    return same ? { do: 'nothing', why } : { do: 'call', why, state, primary, epoch }
  }
  if (fenced) return plan('BACKUP', done?.epoch ?? 0, null, 'this machine is fenced')
  if (leadership === UNKNOWN || leadership === null) return { do: 'nothing', why: 'Consul does not answer' }
  const primary = currentPrimary(leadership)
  if (!primary) return { do: 'nothing', why: 'no machine is the primary at this moment' }
  const state = primary.node === node ? 'MASTER' : 'BACKUP'
  return plan(state, primary.index, primary.node, `${primary.node} is the primary`)
}
