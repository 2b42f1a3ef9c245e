/** Joining: what is refused, what is finished after a kill, what is safe at the same moment. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import {
  addressOf,
  holdersOf,
  join,
  mustJoin,
  packageFile,
  poolerTarget,
  sqlAsPostgres,
  statusFrom,
  untilHealthy,
  VIRTUAL_IP,
} from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import * as refusal from './lib/refusal.ts'

const name = 'join'
let lab: Lab

before(async () => {
  await Lab.remove(name)
  lab = await Lab.up({ name, machines: 4 })
  await lab.installPackage(packageFile())
})
after(() => Lab.remove(name))

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-c', script], { timeoutMs: 60_000 })).stdout.trim()

const mustRefuse = (
  machine: string,
  argv: readonly string[],
  exitCode: number,
  says: RegExp,
): Promise<void> => refusal.mustRefuse(lab, machine, argv, exitCode, says)

const first = ['understudy', 'join', '--virtual-ip', `${VIRTUAL_IP}/24`]

test('bad input on the first machine is refused with one sentence, and nothing is changed', async () => {
  const cases: [string[], number, RegExp][] = [
    [['understudy', 'join'], 64, /--virtual-ip ADDRESS\/PREFIX/],
    [['understudy', 'join', '--virtual-ip', VIRTUAL_IP], 64, /with its prefix/],
    [['understudy', 'join', '--virtual-ip', '300.77.0.100/24'], 64, /IPv4 address/],
    [['understudy', 'join', '--virtual-ip', '10.77.0.0/24'], 64, /address of the network itself/],
    [['understudy', 'join', '--virtual-ip', '192.168.9.9/24'], 64, /in the network of the virtual IP/],
    [[...first, '--interface', 'eth9'], 64, /no interface eth9/],
    [[...first, '--policy', 'nearest'], 64, /with-primary or fixed/],
    [[...first, '--user', 'postgres'], 64, /reserved/],
    [[...first, '--consul-join', '10.77.0.12'], 64, /setting of the whole cluster/],
    [['understudy', 'join', '--consul-join', 'n2'], 64, /IPv4 addresses of members/],
    [['understudy', 'join', '--consul-join', '10.77.0.12'], 69, /no Consul answers at 10\.77\.0\.12/],
    [['runuser', '-u', 'nobody', '--', ...first], 78, /needs root/],
    [['faketime', '2020-01-01 00:00:00', ...first], 78, /clock/],
  ]
  for (const [argv, exitCode, says] of cases) await mustRefuse('n1', argv, exitCode, says)
})

test('a missing package is named', async () => {
  await sh('n1', 'mv /usr/sbin/keepalived /usr/sbin/keepalived.away')
  try {
    await mustRefuse('n1', first, 78, /packages are missing: keepalived/)
  } finally {
    await sh('n1', 'mv /usr/sbin/keepalived.away /usr/sbin/keepalived')
  }
})

test('a virtual IP that something else answers to is refused', async () => {
  const device = (await lab.exec('n2', ['ip', '-o', '-4', 'address'])).stdout.match(
    /(\S+)\s+inet 10\.77\./,
  )?.[1] as string
  await lab.exec('n2', ['ip', 'address', 'add', `${VIRTUAL_IP}/24`, 'dev', device])
  try {
    await mustRefuse('n1', first, 78, /something else answers to the virtual IP/)
  } finally {
    await lab.exec('n2', ['ip', 'address', 'del', `${VIRTUAL_IP}/24`, 'dev', device])
  }
})

/** An operator's own settings of daemons that join would replace. */
const foreignFiles: readonly [path: string, write: string, undo: string][] = [
  [
    '/etc/keepalived/keepalived.conf',
    "printf 'vrrp_instance VI_1 {\\n}\\n' >/etc/keepalived/keepalived.conf",
    'rm /etc/keepalived/keepalived.conf',
  ],
  [
    '/etc/pgbouncer/pgbouncer.ini',
    "cp -a /etc/pgbouncer/pgbouncer.ini /root; sed -i 's/^listen_port = .*/listen_port = 6433/' /etc/pgbouncer/pgbouncer.ini",
    'cp -a /root/pgbouncer.ini /etc/pgbouncer',
  ],
  [
    '/etc/pgbouncer/userlist.txt',
    'echo \'"shop" "secret"\' >>/etc/pgbouncer/userlist.txt',
    'truncate --size=0 /etc/pgbouncer/userlist.txt',
  ],
  ['/etc/repmgr.conf', 'echo node_id=7 >/etc/repmgr.conf', 'rm /etc/repmgr.conf'],
]

async function refuseForeignFiles(machine: string, argv: readonly string[]): Promise<void> {
  for (const [path, write, undo] of foreignFiles) {
    await sh(machine, write)
    await mustRefuse(machine, argv, 78, new RegExp(`${path} has settings of somebody else`))
    await sh(machine, undo)
  }
}

test("a daemon that is set up for something else is left as it is; comments are in nobody's way", async () => {
  await refuseForeignFiles('n1', first)
  // The joins that follow replace it.
  await sh('n1', "echo '! Configuration File for keepalived' >/etc/keepalived/keepalived.conf")
})

/** A stranger on a port that a member needs. */
const listening = (port: number): string =>
  `systemd-run --quiet --unit taken node -e "require('net').createServer().listen(${port})"
   timeout 30 sh -c 'until ss -Hltn "sport = :${port}" | grep -q .; do sleep 0.2; done'`

async function refuseTaken(
  machine: string,
  argv: readonly string[],
  ports: readonly number[],
): Promise<void> {
  for (const port of ports) {
    await sh(machine, listening(port))
    const says = new RegExp(`node \\(process \\d+\\) listens on port ${port}, which \\S+ needs on a member`)
    await mustRefuse(machine, argv, 78, says)
    await sh(machine, 'systemctl stop taken')
  }
}

test('a port that something else listens on is refused', async () => {
  await refuseTaken('n1', first, [8600, 6432, 22000, 8384, 19533])
})

/**
 * Joins and kills the command right after each of its steps, from the first to the last; then lets it finish.
 * @returns how many steps there were.
 */
async function joinWithKills(machine: string, argv: readonly string[]): Promise<number> {
  let steps = 0
  for (let step = 1; step === 1 || step < steps; step++) {
    const [program, ...args] = lab.execCommand(machine, argv) as [string, ...string[]]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    let killed = false
    for await (const line of createInterface({ input: child.stdout })) {
      const [, done, total] = /^\[ *(\d+)\/(\d+)\].*: done/.exec(line) ?? []
      steps = Number(total ?? steps)
      if (Number(done) === step) {
        killed = true
        await lab.exec(machine, ['pkill', '-KILL', '-f', '/usr/bin/understudy join'], { reject: false })
        break
      }
    }
    child.stdout.resume()
    await ended
    assert.ok(killed, `step ${step} of ${steps} was never done`)
  }
  return steps
}

test('the first machine: killed after each step and run again it ends healthy, with the data it had before', async () => {
  await sql('n1', 'postgres', 'create database inventory')
  await sql('n1', 'inventory', 'create table parts as select generate_series(1, 1000) as id')
  const steps = await joinWithKills('n1', first)
  assert.ok(steps >= 10, `only ${steps} steps`)
  await mustJoin(lab, 'n1')
  await untilHealthy(lab, 'n1')
  assert.equal(await sql('n1', 'inventory', 'select count(*) from parts'), '1000')
})

const sql = async (machine: string, database: string, text: string): Promise<string> =>
  (
    await lab.exec(machine, ['runuser', '-u', 'postgres', '--', 'psql', '-XAtqc', text, database])
  ).stdout.trim()

test('running it again changes nothing', async () => {
  const kv = `curl -s 'http://127.0.0.1:8500/v1/kv/understudy/?recurse' | jq -S 'map(select(.Key | test("history") | not))'`
  const before = [await refusal.fingerprint(lab, 'n1'), await sh('n1', kv)]
  await mustJoin(lab, 'n1')
  assert.deepEqual([await refusal.fingerprint(lab, 'n1'), await sh('n1', kv)], before)
  await mustRefuse(
    'n1',
    ['understudy', 'join', '--virtual-ip', '10.77.0.101/24'],
    64,
    /member of the cluster with the virtual IP 10\.77\.0\.100/,
  )
})

test('bad input on a joiner is refused with one sentence; neither it nor the cluster is changed', async () => {
  const joiner = ['understudy', 'join', '--consul-join', addressOf(lab, 'n1')]
  const members = async (): Promise<string> =>
    sh('n1', 'curl -s http://127.0.0.1:8500/v1/kv/understudy/seats?raw')
  const before = await members()

  await sh('n4', 'hostname n1')
  await mustRefuse('n4', joiner, 78, /n1 is already a member/)
  await sh('n4', 'hostname n4')

  await sql('n4', 'postgres', 'create table precious (id int)')
  await mustRefuse('n4', joiner, 78, /holds data/)
  assert.equal(await sql('n4', 'postgres', 'select count(*) from precious'), '0')
  await sql('n4', 'postgres', 'drop table precious')

  await sh('n4', 'mv /etc/postgresql/17 /etc/postgresql/16')
  await mustRefuse('n4', joiner, 78, /runs PostgreSQL 17, this machine has 16/)
  await sh('n4', 'mv /etc/postgresql/16 /etc/postgresql/17')

  await mustRefuse('n4', ['faketime', '-f', '+1h', ...joiner], 78, /clock of this machine is \d+ s ahead/)

  await refuseForeignFiles('n4', joiner)
  await refuseTaken('n4', joiner, [6432])
  const portOfMain = (port: number): string =>
    `sed -i 's/^port = .*/port = ${port}/' /etc/postgresql/17/main/postgresql.conf; systemctl restart postgresql@17-main`
  await sh('n4', portOfMain(5433))
  await refuseTaken('n4', joiner, [5432])
  await sh('n4', portOfMain(5432))

  // A Consul of somebody else, on a machine that is no member.
  await sh(
    'n3',
    `systemd-run --unit foreign --uid consul consul agent -server -bootstrap-expect 1 -data-dir /tmp/foreign -bind ${addressOf(lab, 'n3')}`,
  )
  await sh(
    'n3',
    'timeout 30 sh -c "until curl -sf http://127.0.0.1:8500/v1/status/leader | grep -q 8300; do sleep 0.2; done"',
  )
  await mustRefuse(
    'n4',
    ['understudy', 'join', '--consul-join', addressOf(lab, 'n3')],
    78,
    /holds no understudy cluster/,
  )
  await sh('n3', 'systemctl stop foreign; rm -rf /tmp/foreign')

  assert.equal(await members(), before)
  assert.deepEqual(
    (await statusFrom(lab, 'n1')).machines.map((machine) => machine.name),
    ['n1'],
  )
})

test('two machines that join at the same moment both become members, with different priorities and ids', async () => {
  const results = await Promise.all([join(lab, 'n2', 'n1'), join(lab, 'n3', 'n1')])
  for (const { exitCode, stderr } of results) assert.equal(exitCode, 0, stderr)
  const { seats } = JSON.parse(
    await sh('n1', 'curl -s http://127.0.0.1:8500/v1/kv/understudy/seats?raw'),
  ) as {
    seats: Record<string, { repmgrId: number; vipPriority: number }>
  }
  assert.deepEqual(Object.keys(seats).sort(), ['n1', 'n2', 'n3'])
  const own = Object.values(seats)
  assert.equal(new Set(own.map(({ repmgrId }) => repmgrId)).size, 3)
  assert.deepEqual(
    own.map(({ vipPriority }) => vipPriority).sort((a, b) => b - a),
    [100, 95, 90],
  )
  assert.equal(seats['n1']?.vipPriority, 100)
  assert.equal((await untilHealthy(lab, 'n3')).primary, 'n1')
  assert.deepEqual(await holdersOf(lab, ['n1', 'n2', 'n3']), ['n1'])
  for (const machine of ['n1', 'n2', 'n3'])
    assert.equal(await poolerTarget(lab, machine), addressOf(lab, 'n1'))
  assert.equal(await sql('n3', 'inventory', 'select count(*) from parts'), '1000')
  // Else systemd warns of it whenever it is asked about a unit.
  for (const machine of ['n1', 'n2', 'n3'])
    await waitFor(`systemd on ${machine} has read its units`, 30_000, async () =>
      (await sh(machine, 'systemctl show --property=NeedDaemonReload --value consul cron')).includes('yes')
        ? null
        : true,
    )
})

test('a joiner: killed after each step and run again it ends as a healthy member', async () => {
  // The address of any member will do, not only the first one's.
  const steps = await joinWithKills('n4', ['understudy', 'join', '--consul-join', addressOf(lab, 'n3')])
  assert.ok(steps >= 10, `only ${steps} steps`)
  await mustJoin(lab, 'n4', 'n3')
  const status = await untilHealthy(lab, 'n4')
  assert.deepEqual(
    status.machines.map((machine) => machine.name),
    ['n1', 'n2', 'n3', 'n4'],
  )
  assert.equal(await sqlAsPostgres(lab, 'n4', 'select pg_is_in_recovery()'), 't')
})

test('secrets are nowhere to be read: not in argv, logs or world-readable files; the network is not trusted', async () => {
  const secrets = Object.values(
    JSON.parse(await sh('n1', 'curl -s http://127.0.0.1:8500/v1/kv/understudy/credentials?raw')) as Record<
      string,
      string | number
    >,
  )
  const passwords = secrets.filter((value) => typeof value === 'string')
  const argvs = (pattern: string): string =>
    `for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <"$file"; echo; done 2>/dev/null | grep -v grep | grep -cE '${pattern}' || true`
  for (const machine of ['n1', 'n4']) {
    const words = [...passwords, await sh(machine, 'cat /etc/understudy/syncthing.key')].join('|')
    const readable = `grep -rlE '${words}' /etc /run/understudy /var/lib/understudy /var/log 2>/dev/null | xargs -r ls -l | grep -E '^.{7}r' || true`
    assert.equal(await sh(machine, readable), '')
    assert.equal(await sh(machine, `journalctl --no-pager | grep -cE '${words}' || true`), '0')
    assert.equal(await sh(machine, argvs(words)), '0')
    assert.notEqual(await sh(machine, argvs('keepalived')), '0', 'the search itself finds nothing')
    assert.equal(
      await sh(machine, "grep -vE '^\\s*#' /etc/postgresql/17/main/pg_hba.conf | grep -w trust || true"),
      '',
    )
  }
})
