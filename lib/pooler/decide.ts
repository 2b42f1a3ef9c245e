import { currentPrimary, type Leadership } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { renderDatabases } from './config.ts'

export interface PoolerFacts {
  database: string
  leadership: Leadership | Unknown
  /** This machine was a primary that is cut off, and has stopped its database. */
  fenced: boolean
  /** What the included file holds, or null where there is none. */
  file: string | null
  /** What the running PgBouncer uses; null where it does not know the database; unknown where it does not answer. */
  running: { host: string; port: number; paused: boolean } | null | Unknown
}

export interface PoolerPlan {
  do: 'nothing' | 'follow' | 'hold'
  why: string
  /** Text for the included file, where it must change. */
  file?: string
  /** Commands for the console, in this order. */
  console: ('RELOAD' | 'RESUME' | 'PAUSE')[]
}

/** PgBouncer points at the holder of the lock, or holds its clients back. Without news from Consul it stays as it is. */
export function decidePooler(facts: PoolerFacts): PoolerPlan {
  const { database, leadership, fenced, file, running } = facts
  if (leadership === UNKNOWN) {
    if (fenced) return hold(database, file, running, 'this machine is cut off')
    return file === null
      ? hold(database, file, running, 'Consul does not answer and no primary is known')
      : { do: 'nothing', why: 'Consul does not answer', console: [] }
  }
  const target = currentPrimary(leadership)
  if (!target) return hold(database, file, running, 'nobody holds the lock')

  const wanted = renderDatabases(database, target)
  const change = file === wanted ? {} : { file: wanted }
  if (running === UNKNOWN) {
    return file === wanted
      ? { do: 'nothing', why: `set to ${target.node}, but PgBouncer's console does not answer`, console: [] }
      : {
          do: 'follow',
          why: `${target.node} is the primary; PgBouncer's console does not answer`,
          ...change,
          console: [],
        }
  }
  const commands: PoolerPlan['console'] = []
  if (file !== wanted || running?.host !== target.address || running.port !== target.port)
    commands.push('RELOAD')
  if (running?.paused) commands.push('RESUME')
  if (commands.length === 0) return { do: 'nothing', why: `points at ${target.node}`, console: [] }
  return { do: 'follow', why: `${target.node} is the primary`, ...change, console: commands }
}

/** A pause holds the clients of a PgBouncer that runs; the file holds those of one that is started meanwhile. */
function hold(
  database: string,
  file: string | null,
  running: PoolerFacts['running'],
  why: string,
): PoolerPlan {
  const wanted = renderDatabases(database, null)
  const change = file === wanted ? {} : { file: wanted }
  const commands: PoolerPlan['console'] = []
  // One that does not know the database turns clients away, where it should let them wait.
  if (running === null) commands.push('RELOAD')
  if (running === null || (running !== UNKNOWN && !running.paused)) commands.push('PAUSE')
  if (file === wanted && commands.length === 0) return { do: 'nothing', why: `held: ${why}`, console: [] }
  return { do: 'hold', why, ...change, console: commands }
}
