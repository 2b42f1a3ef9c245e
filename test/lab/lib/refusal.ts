/** A command that must be refused with one sentence and change nothing. */
import assert from 'node:assert/strict'
import type { Lab } from './lab.ts'

/** Everything that a join may change on a machine. */
const FINGERPRINT = `find /etc/consul.d /etc/keepalived /etc/pgbouncer /etc/postgresql /etc/repmgr.conf /etc/understudy /etc/rabbitmq /etc/systemd/system \
  /var/lib/rabbitmq/.erlang.cookie -type f 2>/dev/null |
  sort | xargs sha256sum
ls -A /etc/consul.d /var/lib/consul /opt/consul /var/lib/rabbitmq /var/lib/rabbitmq/mnesia 2>/dev/null
systemctl show --property=Id,MainPID,UnitFileState consul keepalived pgbouncer understudy-repmgrd rabbitmq-server epmd.socket
runuser -u postgres -- psql -XAtc "select datname from pg_database order by 1" -c "select rolname from pg_roles order by 1"`

export const fingerprint = async (lab: Lab, machine: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-c', FINGERPRINT], { timeoutMs: 60_000, reject: false })).stdout.trim()

/** Runs a command that must be refused, and makes sure that nothing was changed by it. */
export async function mustRefuse(
  lab: Lab,
  machine: string,
  argv: readonly string[],
  exitCode: number,
  says: RegExp,
): Promise<void> {
  const before = await fingerprint(lab, machine)
  const result = await lab.exec(machine, argv, { reject: false, timeoutMs: 60_000 })
  const what = `${argv.join(' ')}\n${result.stdout}\n${result.stderr}`
  assert.equal(result.exitCode, exitCode, what)
  assert.match(result.stderr, says, what)
  assert.equal(result.stderr.trim().split('\n').length, 1, what)
  assert.equal(await fingerprint(lab, machine), before, `something was changed by ${what}`)
}
