import type { Behind } from '../consul/behind.ts'
import { currentPrimary, type Leadership, unlockedPrimary } from '../consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { quoteIdentifier, renderDatabases } from './config.ts'
import type { Link, PoolTarget } from './console.ts'

export interface PoolerFacts {
  behind: Behind
  leadership: Leadership | Unknown
  /** The published primary has lost its lock, but answers, and its commits wait for standbys. */
  servesUnlocked: boolean
  /** The fence has stopped the database of this machine. */
  fenced: boolean
  /** Content of the included file, or null if there is none. */
  file: string | null
  /** What the running PgBouncer uses for each database that it knows; unknown if it does not answer. */
  running: { databases: Readonly<Record<string, PoolTarget>>; links: readonly Link[] } | Unknown
}

export interface PoolerPlan {
  do: 'nothing' | 'follow' | 'hold'
  why: string
  /** New text of the included file, if it must change. */
  file?: string
  /** Commands for the console, in this order. */
  console: ('RELOAD' | `${'RESUME' | 'PAUSE' | 'KILL' | 'KILL_CLIENT'} ${string}`)[]
}

/**
 * PgBouncer points at the primary, or holds its clients back. While Consul does not answer, nothing changes. A primary that has lost its
 * lock is still the only one that acknowledges, as long as its commits wait for standbys: no other is promoted before they leave it.
 */
export function decidePooler(facts: PoolerFacts): PoolerPlan {
  const { behind, leadership, servesUnlocked, fenced, file, running } = facts
  if (leadership === UNKNOWN) {
    if (fenced) return hold(behind, file, running, 'this machine is fenced')
    return file === null
      ? hold(behind, file, running, 'Consul does not answer and no primary is known')
      : { do: 'nothing', why: 'Consul does not answer', console: [] }
  }
  const target = currentPrimary(leadership) ?? (servesUnlocked ? unlockedPrimary(leadership) : null)
  if (!target) return hold(behind, file, running, 'there is no primary')

  const wanted = renderDatabases(behind, target)
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
  const found = behind.databases.map((name) => [name, running.databases[name]] as const)
  const isThere = (pooler?: PoolTarget): boolean =>
    pooler?.host === target.address && pooler.port === target.port
  if (file !== wanted || !found.every(([, pooler]) => isThere(pooler))) commands.push('RELOAD')
  const kills = killsFor(running.links, target)
  commands.push(...kills)
  for (const [name, pooler] of found) {
    // KILL holds the database's clients back as PAUSE does.
    const command = `KILL ${quoteIdentifier(name)}` as const
    if (pooler?.paused || kills.includes(command)) commands.push(`RESUME ${quoteIdentifier(name)}`)
  }
  if (commands.length === 0) return { do: 'nothing', why: `PgBouncer points at ${target.node}`, console: [] }
  return { do: 'follow', why: `${target.node} is the primary`, ...change, console: commands }
}

/**
 * Ends what still leads to a former primary. A client whose statement was on its way to a machine that died would wait for a quarter
 * of an hour otherwise: keepalives do not notice it while something is unacknowledged. An old PgBouncer can only end all at once.
 */
function killsFor(links: readonly Link[], target: { address: string; port: number }): PoolerPlan['console'] {
  const strays = links.filter(({ host, port }) => host !== target.address || port !== target.port)
  const kills = strays.map(({ client, database }): PoolerPlan['console'][number] =>
    client === null ? `KILL ${quoteIdentifier(database)}` : `KILL_CLIENT ${client}`,
  )
  return [...new Set(kills)]
}

/** PAUSE holds clients back in a running PgBouncer, and the file does so in one that is started now. */
function hold(behind: Behind, file: string | null, running: PoolerFacts['running'], why: string): PoolerPlan {
  const wanted = renderDatabases(behind, null)
  const change = file === wanted ? {} : { file: wanted }
  const commands: PoolerPlan['console'] = []
  if (running !== UNKNOWN) {
    const found = behind.databases.map((name) => [name, running.databases[name]] as const)
    // A PgBouncer that does not know a database turns clients away instead of holding them back.
    if (found.some(([, pooler]) => pooler === undefined)) commands.push('RELOAD')
    for (const [name, pooler] of found) if (!pooler?.paused) commands.push(`PAUSE ${quoteIdentifier(name)}`)
  }
  if (file === wanted && commands.length === 0)
    return { do: 'nothing', why: `clients are held back: ${why}`, console: [] }
  return { do: 'hold', why, ...change, console: commands }
}
