/** First-hand looks at machines of which some may be off, frozen or hanging: each look has a short deadline. */
import { waitFor } from '../../../lib/core/wait.ts'
import { poolerAnswer, sqlAsPostgres, statusFrom, VIRTUAL_IP } from '../lib/cluster.ts'
import type { Lab } from '../lib/lab.ts'
import { steadyNow } from '../lib/steady-clock.ts'
import type { Copy } from './evidence.ts'
import type { DatabaseView, MachineView } from './order.ts'

/** Which machine is the primary, and which are standbys. */
export interface Roles {
  primary: string | null
  standbys: readonly string[]
}

const ASK_MS = 4000
/** A standby that is in order is behind by less than a second. */
const REPLAY_MS = 30_000

const DATABASE_SQL = `select case when pg_is_in_recovery()
  then json_build_object('role', 'standby',
    'timeline', (select received_tli from pg_stat_wal_receiver),
    'from', (select sender_host from pg_stat_wal_receiver where status = 'streaming'))
  else json_build_object('role', 'primary', 'timeline', ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int)
  end`

/** What a machine's own database says of itself; null where it says nothing in time. */
export async function askDatabase(lab: Lab, machine: string): Promise<DatabaseView | null> {
  const argv = ['runuser', '-u', 'postgres', '--', 'psql', '-XAtq', '-d', 'app', '-c', DATABASE_SQL]
  try {
    const env = { PGCONNECT_TIMEOUT: '2', PGOPTIONS: '-c statement_timeout=2000' }
    const { stdout } = await lab.exec(machine, argv, { env, timeoutMs: ASK_MS })
    return JSON.parse(stdout) as DatabaseView
  } catch {
    return null
  }
}

/** Asks these machines who the primary is. Where more than one says so, it is the one on the latest timeline. */
export async function askRoles(lab: Lab, machines: readonly string[]): Promise<Roles> {
  const views = await Promise.all(machines.map((machine) => askDatabase(lab, machine)))
  const primaries = machines
    .map((machine, index) => ({ machine, view: views[index] }))
    .filter(({ view }) => view?.role === 'primary')
    .sort((a, b) => (b.view?.timeline ?? 0) - (a.view?.timeline ?? 0))
  return {
    primary: primaries[0]?.machine ?? null,
    standbys: machines.filter((_machine, index) => views[index]?.role === 'standby'),
  }
}

/** @returns which of these machines became a primary first, or null. */
export async function untilPrimary(
  lab: Lab,
  machines: readonly string[],
  timeoutMs: number,
): Promise<string | null> {
  for (const until = steadyNow() + timeoutMs; steadyNow() < until; ) {
    const views = await Promise.all(machines.map((machine) => askDatabase(lab, machine)))
    const found = machines.find((_machine, index) => views[index]?.role === 'primary')
    if (found !== undefined) return found
  }
  return null
}

/** Everything that says whether a machine is in order. */
async function viewOf(lab: Lab, machine: string, address: string): Promise<MachineView> {
  const [status, database, pooler, holds] = await Promise.all([
    statusFrom(lab, machine).catch(() => null),
    askDatabase(lab, machine),
    poolerAnswer(lab, machine).catch(() => null),
    lab
      .exec(machine, ['ip', '-4', '-o', 'address'], { timeoutMs: ASK_MS })
      .then(({ stdout }) => stdout.includes(` ${VIRTUAL_IP}/`))
      .catch(() => false),
  ])
  return { machine, address, problems: status?.problems ?? null, database, pooler, holdsVirtualIp: holds }
}

/** The same of all machines. */
export const viewAll = (lab: Lab): Promise<MachineView[]> =>
  Promise.all(lab.machines.map(({ name, address }) => viewOf(lab, name, address)))

/** Every value in a machine's table. Reads the table, not its index: a row could be there twice. */
export async function rowsOf(lab: Lab, machine: string): Promise<number[]> {
  const sql =
    'set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off; select value from written'
  const argv = ['runuser', '-u', 'postgres', '--', 'psql', '-XAtq', '-d', 'app', '-c', sql]
  const { stdout } = await lab.exec(machine, argv, { timeoutMs: 60_000 })
  return stdout === '' ? [] : stdout.split('\n').map(Number)
}

/** What a standby has. It gets the time to replay what the primary has before. */
export async function copyOn(lab: Lab, standby: string, primary: string): Promise<Copy> {
  const before = await rowsOf(lab, primary)
  const until = await sqlAsPostgres(lab, primary, 'select pg_current_wal_lsn()')
  const replayed = `select pg_last_wal_replay_lsn() >= '${until}'`
  await waitFor(`${standby} to replay`, REPLAY_MS, async () => {
    return (await sqlAsPostgres(lab, standby, replayed)) === 't' || null
  })
  const rows = await rowsOf(lab, standby)
  return { machine: standby, before, rows, after: await rowsOf(lab, primary) }
}

/** The main process of a unit; '0' where it does not run. */
export async function mainPid(lab: Lab, machine: string, unit: string): Promise<string> {
  const show = ['systemctl', 'show', '--property=MainPID', '--value', unit]
  return (await lab.exec(machine, show, { timeoutMs: ASK_MS })).stdout.trim()
}
