/** Every handler as a person would run it on a member: with the user, the lock and the arguments of its caller. */
import type { ExecResult } from './exec.ts'
import type { Lab } from './lab.ts'

/** What the arguments hang on. */
interface Here {
  readonly isPrimary: boolean
  readonly repmgrId: number
  readonly postgresqlVersion: number
}

interface ByHand {
  readonly handler: string
  /** What goes before the handler in the command line. */
  readonly as: readonly string[]
  readonly args?: (here: Here) => readonly string[]
  /** The exit code on a cluster in order; 0 unless told. */
  readonly exitCode?: (here: Here) => number
}

const HANDLERS = '/usr/lib/understudy/handlers'
const LOCKS = '/run/understudy/lock'
/** When the runs that are killed die: most handlers take about 150 ms. */
const KILLED_AFTER_S = [0.03, 0.06, 0.09, 0.14]
const RUN_MS = 60_000

const asUser = (user: string): string[] => ['runuser', '-u', user, '--']
const asConsul = asUser('consul')
const asPostgres = [...asUser('postgres'), 'env', 'PGPASSFILE=/etc/understudy/repmgr.pgpass']
const underLock = (lock: string): string[] => ['flock', '--wait', '30', lock]
/** As its unit does: the files of the folders belong to many users. */
const asSyncthing = [
  ...['setpriv', '--reuid=understudy-syncthing', '--regid=understudy-syncthing', '--init-groups'],
  ...['--inh-caps', '--ambient-caps'].flatMap((caps) => [caps, '+chown,+dac_override,+fowner,+fsetid']),
]

export const byHand: readonly ByHand[] = [
  { handler: 'check', as: asConsul },
  { handler: 'failover', as: asPostgres },
  {
    handler: 'failover-validate',
    as: asPostgres,
    args: ({ repmgrId }) => [String(repmgrId)],
    exitCode: ({ isPrimary }) => (isPrimary ? 0 : 1),
  },
  { handler: 'fence', as: asPostgres },
  { handler: 'files', as: [...underLock('/run/understudy/files/lock'), ...asSyncthing] },
  { handler: 'follow', as: asPostgres },
  { handler: 'lead-changed', as: [...asConsul, ...underLock(`${LOCKS}/lead-changed`)] },
  { handler: 'pooler', as: asConsul },
  { handler: 'rejoin', as: asPostgres },
  {
    handler: 'repmgr-event',
    as: asPostgres,
    args: ({ repmgrId }) => [String(repmgrId), 'repmgrd_reload', '1', '2026-01-02 03:04:05+00', 'a test'],
  },
  { handler: 'service-tag', as: asConsul },
  { handler: 'start-gate', as: [], args: ({ postgresqlVersion }) => [`${postgresqlVersion}-main`] },
  {
    handler: 'virtual-ip-state',
    as: [...asUser('keepalived_script'), ...underLock(`${LOCKS}/virtual-ip-state`)],
    args: ({ isPrimary }) => ['INSTANCE', 'understudy', isPrimary ? 'MASTER' : 'BACKUP', '100'],
  },
  { handler: 'virtual-ip-command', as: asUser('keepalived_script') },
  { handler: 'virtual-ip-peers', as: [] },
  { handler: 'virtual-ip-weight', as: asConsul },
]

/** What a machine says of itself. */
export async function hereOn(lab: Lab, machine: string, primary: string): Promise<Here> {
  const { stdout } = await lab.exec(machine, ['cat', '/etc/understudy/node.json'])
  const { repmgrId, postgresqlVersion } = JSON.parse(stdout) as Omit<Here, 'isPrimary'>
  return { repmgrId, postgresqlVersion, isPrimary: machine === primary }
}

/** Runs a handler twice at the same moment, beside runs that are killed. @returns what the two have come to. */
export async function runBesideKilled(
  lab: Lab,
  machine: string,
  { handler, as, args }: ByHand,
  here: Here,
): Promise<ExecResult[]> {
  const argv = [...as, `${HANDLERS}/${handler}`, ...(args?.(here) ?? [])]
  const whole = () => lab.exec(machine, argv, { reject: false, timeoutMs: RUN_MS })
  const killed = KILLED_AFTER_S.map((seconds) =>
    lab.exec(machine, ['timeout', '--signal=KILL', String(seconds), ...argv], { reject: false }),
  )
  const ended = await Promise.all([whole(), whole()])
  await Promise.all(killed)
  return ended
}

const FINGERPRINT = `
find /etc/consul.d /etc/keepalived /etc/pgbouncer /etc/postgresql /etc/repmgr.conf /etc/understudy \\
  /run/understudy/keepalived /run/understudy/pgbouncer /var/lib/postgresql/*/main/postgresql.auto.conf -type f |
  sort | xargs sha256sum
ls /var/lib/postgresql/*/ /var/lib/understudy
systemctl show --property=Id,MainPID,NRestarts consul keepalived pgbouncer 'postgresql@*' understudy-repmgrd understudy-syncthing
runuser -u postgres -- psql -XAtd repmgr -c 'show synchronous_standby_names' -c 'show primary_conninfo' \\
  -c 'select slot_name, active from pg_replication_slots order by 1' -c 'select * from repmgr.nodes order by 1'
curl -s http://127.0.0.1:8500/v1/agent/service/postgresql | jq -c .Tags
ip -4 -o address`

const KV = `curl -s 'http://127.0.0.1:8500/v1/kv/understudy/?recurse&consistent' |
  jq -c '.[] | select(.Key | test("/history/|/postgresql/confirmed$|/written$") | not)'`

/**
 * Whatever a handler could change, on these machines and in Consul; the history aside, and what is recorded again and again.
 * One text for each.
 */
export async function fingerprintOf(lab: Lab, machines: readonly string[]): Promise<string[]> {
  const asked = machines.map((machine) => lab.exec(machine, ['sh', '-c', FINGERPRINT]))
  const kv = lab.exec(machines[0] as string, ['sh', '-c', KV])
  return (await Promise.all([...asked, kv])).map(({ stdout }) => stdout)
}
