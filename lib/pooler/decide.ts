import { currentPrimary, type Leadership, unlockedPrimary } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { renderDatabases } from './config.ts'
import type { Link, Pooler } from './console.ts'

export interface PoolerFacts {
  database: string
  leadership: Leadership | Unknown
  /** The published primary has lost its lock, but answers, and its commits wait for standbys. */
  servesUnlocked: boolean
  /** The fence has stopped the database of this machine. */
  fenced: boolean
  /** Content of the included file, or null if there is none. */
  file: string | null
  /** What the running PgBouncer uses; null if it does not know the database; unknown if it does not answer. */
  running: (Pooler & { links: readonly Link[] }) | null | Unknown
}

export interface PoolerPlan {
  do: 'nothing' | 'follow' | 'hold'
  why: string
  /** New text of the included file, if it must change. */
  file?: string
  /** Commands for the console, in this order. KILL, PAUSE and RESUME are for the one database. */
  console: ('RELOAD' | 'RESUME' | 'PAUSE' | 'KILL' | `KILL_CLIENT ${string}`)[]
}

/**
 * PgBouncer points at the primary, or holds its clients back. While Consul does not answer, nothing changes. A primary that has lost its
 * lock is still the only one that acknowledges, as long as its commits wait for standbys: no other is promoted before they leave it.
 */
export function decidePooler(facts: PoolerFacts): PoolerPlan {
  const { database, leadership, servesUnlocked, fenced, file, running } = facts
  if (leadership === UNKNOWN) {
    if (fenced) return hold(database, file, running, 'this machine is fenced')
    return file === null
      ? hold(database, file, running, 'Consul does not answer and no primary is known')
      : { do: 'nothing', why: 'Consul does not answer', console: [] }
  }
  const target = currentPrimary(leadership) ?? (servesUnlocked ? unlockedPrimary(leadership) : null)
  if (!target) return hold(database, file, running, 'there is no primary')

  const wanted = renderDatabases(database, target)
  const change = file === wanted ? {} : { file: wanted }
  if (running === UNKNOWN) {
    return file === wanted
      ? {
          do: 'nothing',
          why: `the file names ${target.node}, but PgBouncer's console does not answer`,
          console: [],
        }
      : {
          do: 'follow',
          why: `${target.node} is the primary, but PgBouncer's console does not answer`,
          ...change,
          console: [],
        }
  }
  const commands: PoolerPlan['console'] = []
  if (file !== wanted || running?.host !== target.address || running.port !== target.port)
    commands.push('RELOAD')
  const kills = killsFor(running?.links ?? [], target)
  commands.push(...kills)
  // KILL holds the database's clients back as PAUSE does.
  if (running?.paused || kills.includes('KILL')) commands.push('RESUME')
  if (commands.length === 0) return { do: 'nothing', why: `PgBouncer points at ${target.node}`, console: [] }
  return { do: 'follow', why: `${target.node} is the primary`, ...change, console: commands }
}

/**
 * Ends what still leads to a former primary. A client whose statement was on its way to a machine that died would wait for a quarter
 * of an hour otherwise: keepalives do not notice it while something is unacknowledged. An old PgBouncer can only end all at once.
 */
function killsFor(links: readonly Link[], target: { address: string; port: number }): PoolerPlan['console'] {
  const strays = links.filter(({ host, port }) => host !== target.address || port !== target.port)
  const clients = strays.flatMap(({ client }) => (client === null ? [] : [client]))
  if (clients.length < strays.length) return ['KILL']
  return clients.map((client): PoolerPlan['console'][number] => `KILL_CLIENT ${client}`)
}

/** PAUSE holds clients back in a running PgBouncer, and the file does so in one that is started now. */
function hold(
  database: string,
  file: string | null,
  running: PoolerFacts['running'],
  why: string,
): PoolerPlan {
  const wanted = renderDatabases(database, null)
  const change = file === wanted ? {} : { file: wanted }
  const commands: PoolerPlan['console'] = []
  // A PgBouncer that does not know the database turns clients away instead of holding them back.
  if (running === null) commands.push('RELOAD')
  if (running === null || (running !== UNKNOWN && !running.paused)) commands.push('PAUSE')
  if (file === wanted && commands.length === 0)
    return { do: 'nothing', why: `clients are held back: ${why}`, console: [] }
  return { do: 'hold', why, ...change, console: commands }
}
