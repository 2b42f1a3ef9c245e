/** A network without VRRP: clients find the primary by its name or among several hosts, and the operator's command moves an address. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import {
  appPassword,
  holdersOf,
  join,
  joinInTime,
  statusFrom,
  untilHealthy,
  untilPrimary,
} from './lib/cluster.ts'
import type { Lab } from './lib/lab.ts'
import { ownMachines } from './lib/own-cluster.ts'
import { CREATE_TABLE } from './lib/writer.ts'

const name = 'none'
const all = ['n1', 'n2', 'n3']
let lab: Lab
let password = ''

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 60_000 })).stdout.trim()
const onAll = (script: string, machines = all): Promise<string[]> =>
  Promise.all(machines.map((machine) => sh(machine, script)))

ownMachines(name, (own) => {
  lab = own
})

const FLOATING = '10.77.0.200'
const MOVE = '/usr/local/sbin/move-address'
/** What a provider's call would do. */
const script = `#!/bin/sh
set -eu
echo "$1 $2 $3 $(id -un) $UNDERSTUDY_NODE $UNDERSTUDY_PRIMARY" >>/run/understudy/command/calls
case $3 in
MASTER) ip address replace ${FLOATING}/32 dev eth0; arping -U -q -c 1 -I eth0 ${FLOATING} || true ;;
BACKUP) ip address del ${FLOATING}/32 dev eth0 2>/dev/null || true ;;
esac
`
const install = (machine: string): Promise<unknown> =>
  lab.exec(machine, ['sh', '-euc', `cat >${MOVE}.new; chmod 755 ${MOVE}.new; mv ${MOVE}.new ${MOVE}`], {
    input: script,
  })
const psql = async (target: string, text: string): Promise<string> => {
  const env = { PGPASSWORD: password, PGCONNECT_TIMEOUT: '5' }
  const argv = ['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', target, '-c', text]
  return (await lab.clientExec(argv, { env, timeoutMs: 30_000 })).stdout.trim()
}
const SEVERAL =
  'host=10.77.0.11,10.77.0.12,10.77.0.13 port=6432 dbname=app user=app target_session_attrs=read-write'
const BEHIND = `host=${FLOATING} port=6432 dbname=app user=app`
const untilDone = (target: string, text: string): Promise<string> =>
  waitFor(`a client of ${target} can write`, 60_000, () => psql(target, text))
/** The addresses that Consul's DNS on a machine gives for the primary. */
const primaryByName = (machine: string): Promise<string> =>
  sh(
    machine,
    `node -e "const r = new (require('dns').promises.Resolver)(); r.setServers(['127.0.0.1:8600'])
     r.resolve4('primary.postgresql.service.consul').then((a) => console.log(a.join()))"`,
  )

test('join refuses a command that others can change, and makes a healthy cluster with a good one', async () => {
  await onAll('dpkg --purge keepalived iputils-arping || dpkg --purge keepalived')
  const first = ['understudy', 'join', '--virtual-ip', 'none', '--virtual-ip-command', MOVE]
  const refused = await lab.exec('n1', first, { reject: false })
  assert.equal(refused.exitCode, 78, refused.stderr)
  assert.match(refused.stderr, /the virtual IP command \S+ is not there; every member needs it/)
  await install('n1')
  const joined = await lab.exec('n1', first, { reject: false, timeoutMs: 180_000 })
  assert.equal(joined.exitCode, 0, joined.stdout + joined.stderr)
  const missing = await join(lab, 'n2', 'n1')
  assert.equal(missing.exitCode, 78, missing.stderr)
  for (const machine of ['n2', 'n3']) {
    await install(machine)
    await joinInTime(lab, machine, 'n1')
  }
  for (const machine of all) {
    const { summary } = await untilHealthy(lab, machine)
    assert.match(summary, /^healthy: n1 is the primary/)
  }
  password = await appPassword(lab, 'n1')
  await psql(SEVERAL, CREATE_TABLE)
  assert.equal(await primaryByName('n2'), '10.77.0.11')
  assert.deepEqual(await holdersOf(lab, all, FLOATING), ['n1'])
  assert.match(
    await sh('n1', 'cat /run/understudy/command/calls'),
    /^INSTANCE understudy MASTER keepalived_script n1 n1$/m,
  )
})

test('the primary loses its power: clients of several hosts, of the name and of the floating address go on', async () => {
  await lab.poweroff('n1')
  await untilDone(SEVERAL, 'insert into written (value) values (1)')
  const primary = await untilPrimary(lab, 'n2')
  await untilDone(BEHIND, 'insert into written (value) values (2)')
  assert.deepEqual(await holdersOf(lab, ['n2', 'n3'], FLOATING), [primary])
  await waitFor(
    "Consul's name leads to the new primary",
    30_000,
    async () =>
      (await primaryByName('n2')) === lab.machines.find(({ name }) => name === primary)?.address || null,
  )
  await lab.poweron('n1')
  await untilHealthy(lab, 'n1')
  assert.deepEqual(await holdersOf(lab, all, FLOATING), [primary])
})

test('a command that fails, hangs or is killed is named, and called again', async () => {
  const again = `rm -f /run/understudy/command/done.json; systemctl start --no-block understudy-command`
  await sh('n1', `printf '#!/bin/sh\\necho no route >&2; exit 3\\n' >${MOVE}; ${again}`)
  await waitFor('the status names the failure', 60_000, async () => {
    const { problems } = await statusFrom(lab, 'n1')
    return (
      problems.some((text) => /virtual IP command has failed .*ended with 3: no route/.test(text)) || null
    )
  })
  await sh('n1', `printf '#!/bin/sh\\nsleep 100\\n' >${MOVE}`)
  await waitFor('it hangs', 30_000, async () => (await sh('n1', 'pgrep -x sleep || true')) || null)
  await sh('n1', 'systemctl kill --signal=KILL understudy-command')
  await install('n1')
  await untilHealthy(lab, 'n1')
  assert.equal(await sh('n1', 'cat /run/understudy/command/done.json | grep -c BACKUP'), '1')
})
