/** Consul in the layout of HashiCorp's package; Consuls that are not ours; a Consul that has lost its data. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { build } from 'esbuild'
import { waitFor } from '../../lib/core/wait.ts'
import { addressOf, mustJoin, packageFile, sqlAsPostgres, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { mustRefuse } from './lib/refusal.ts'

const name = 'consul'
const MEMBERS = ['n1', 'n2', 'n3']
/** Somebody has to be elected, with one machine of three away. */
const ELECTION_MS = 60_000
const JOIN_MS = 180_000
/** systemd ends a service of Type=notify that says nothing for 90 s: two of them. */
const WATCHED_MS = 185_000
let lab: Lab

before(async () => {
  await Lab.remove(name)
  lab = await Lab.up({ name, machines: 4, consul: 'hashicorp' })
  await lab.installPackage(packageFile())
})
after(() => Lab.remove(name))

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-c', script], { timeoutMs: 60_000 })).stdout.trim()

const get = async (machine: string, path: string): Promise<string> =>
  (
    await lab.exec(machine, ['curl', '-sf', `http://127.0.0.1:8500/v1/${path}`], { reject: false })
  ).stdout.trim()

/** The addresses that the agent looks for at its start, by everything that it reads. */
const retryJoin = async (machine: string): Promise<string[]> =>
  JSON.parse(
    await sh(machine, 'cat /etc/consul.d/*.json | jq -s "[.[].retry_join // [] | .[]] | sort"'),
  ) as string[]

const leaderSeenBy = (machine: string): Promise<true> =>
  waitFor(`${machine} sees a leader of Consul`, ELECTION_MS, async () =>
    /:\d+"/.test(await get(machine, 'status/leader')) ? true : null,
  )

const unitOf = (machine: string): Promise<string> =>
  sh(machine, 'systemctl show --property=ActiveState,NRestarts,MainPID consul | sort | xargs')

const othersThan = (machine: string): string[] =>
  MEMBERS.filter((other) => other !== machine).map((other) => addressOf(lab, other))

const first = ['understudy', 'join', '--virtual-ip', '10.77.0.100/24']

test('a Consul that is set up, or has run, for something else: join refuses, and nothing is changed', async () => {
  const files: [file: string, text: string, key: string][] = [
    ['org.json', '{"retry_join": ["10.77.0.13"]}', 'retry_join'],
    ['org.hcl', 'server = true\nbootstrap_expect = 1\n', 'server'],
    ['zz.hcl', '# ours\ndatacenter = "org"', 'datacenter'],
    ['a.json', '{"acl": {"enabled": true}}', 'acl'],
    ['consul-client.hcl', 'start_join = ["10.77.0.13"]\n', 'start_join'],
  ]
  for (const [file, text, key] of files) {
    await sh('n4', `printf '%s' '${text}' >/etc/consul.d/${file}`)
    await mustRefuse(lab, 'n4', first, 78, new RegExp(`/etc/consul.d/${file} sets ${key}`))
    await sh('n4', `rm /etc/consul.d/${file}`)
  }

  await sh('n4', 'mkdir -p /opt/consul/raft && touch /opt/consul/raft/raft.db')
  await mustRefuse(lab, 'n4', first, 78, /not part of an understudy cluster has data on this machine/)
  await sh('n4', 'rm -r /opt/consul/raft')

  await sh(
    'n4',
    'mkdir -p /opt/consul/serf && echo "alive: web 10.77.0.13:8301" >/opt/consul/serf/local.snapshot',
  )
  await mustRefuse(lab, 'n4', first, 78, /not part of an understudy cluster has data on this machine/)
  await sh('n4', 'rm -r /opt/consul/serf')

  await sh('n4', 'systemd-run --unit foreign consul agent -dev -bind 10.77.0.14')
  await sh(
    'n4',
    'timeout 30 sh -c "until curl -sf http://127.0.0.1:8500/v1/status/leader | grep -q 8300; do sleep 0.2; done"',
  )
  await mustRefuse(lab, 'n4', first, 78, /runs on this machine/)
  await sh('n4', 'systemctl stop foreign')

  await sh('n4', 'sed -i /data_dir/d /etc/consul.d/consul.hcl')
  await mustRefuse(lab, 'n4', first, 78, /set data_dir in/)
  await sh('n4', `echo 'data_dir = "/opt/consul"' >>/etc/consul.d/consul.hcl`)
})

test('three machines become a cluster, also where a drop-in says Type=notify', async () => {
  for (const machine of MEMBERS)
    await sh(
      machine,
      'mkdir -p /etc/systemd/system/consul.service.d && printf "[Service]\\nType=notify\\n" >/etc/systemd/system/consul.service.d/zz.conf && systemctl daemon-reload',
    )
  // An upgrade of the package starts an agent that nobody has configured.
  await sh(
    'n1',
    'systemctl start --no-block consul; timeout 30 sh -c "until curl -sf http://127.0.0.1:8500/v1/agent/self; do sleep 0.2; done" >/dev/null',
  )
  await mustJoin(lab, 'n1')
  for (const machine of ['n2', 'n3']) await mustJoin(lab, machine, 'n1')
  await untilHealthy(lab, 'n1')
  for (const machine of MEMBERS) {
    await waitFor(`${machine} names every other member`, 60_000, async () => {
      const named = await retryJoin(machine)
      if (named.join() === othersThan(machine).join()) return true
      throw new Error(named.join())
    })
    assert.match(await unitOf(machine), /^ActiveState=active .* NRestarts=0$/)
    // It also says that it skips consul.env, which the package has there.
    assert.match(await sh(machine, 'consul validate /etc/consul.d 2>&1'), /^Configuration is valid!$/m)
    assert.equal(await sh(machine, 'systemctl show --value --property=Type consul'), 'exec')
    assert.equal(
      await sh(machine, 'ls -d /opt/consul/raft; ls -d /var/lib/consul/raft 2>/dev/null || true'),
      '/opt/consul/raft',
    )
  }
})

/** Writes the same value twice, and then what was sent before the second write and comes late. */
const LATE_WRITE = `
import { Consul } from './lib/consul/client.ts'
const consul = new Consul()
const write = (value, index) => consul.transaction([{ verb: 'cas', key: 'late', value, index }])
const index = async () => (await (await fetch('http://127.0.0.1:8500/v1/kv/understudy/late')).json())[0].ModifyIndex
const made = await write('same', 0)
const seen = await index()
console.log(JSON.stringify([made, await write('same', seen), await write('late', seen)]))`

test('a compare-and-set that writes the same value makes a late write fail', async () => {
  const bundled = await build({
    ...{ stdin: { contents: LATE_WRITE, resolveDir: process.cwd() }, write: false },
    ...{ bundle: true, platform: 'node', format: 'esm' },
  })
  const { stdout } = await lab.exec('n1', ['node', '--input-type=module', '-'], {
    input: bundled.outputFiles[0]?.text ?? '',
  })
  assert.equal(stdout, '[true,true,false]')
  await sh('n1', 'consul kv delete understudy/late')
})

test('a machine cloned with the node id of a member: join refuses, and nothing is changed', async () => {
  const joiner = ['understudy', 'join', '--consul-join', addressOf(lab, 'n1')]
  const id = await sh('n1', 'cat /opt/consul/node-id')
  // What an agent leaves that has only run alone, before the template was made.
  await sh(
    'n4',
    `install -o consul -g consul -m 600 /dev/null /opt/consul/node-id; printf %s ${id} >/opt/consul/node-id`,
  )
  await mustRefuse(lab, 'n4', joiner, 78, /has the node id of n1 \(\/opt\/consul\/node-id\)/)
  await sh('n4', 'rm /opt/consul/node-id')
})

test("an upgrade of Consul's package on a member; all files are the user consul's after it", async () => {
  const deb = '/var/tmp/consul.deb'
  await lab.copyIn('n2', await lab.consulPackage(2), deb)
  await sh('n2', `dpkg --install ${deb}`)
  await leaderSeenBy('n2')
  assert.equal(await sh('n2', 'stat -c %U /etc/consul.d/understudy.json'), 'consul')
  await untilHealthy(lab, 'n1')
  assert.match(await mustJoin(lab, 'n2', 'n1'), /is a member/)
  await sh('n2', 'systemctl daemon-reload; systemctl reload consul')
  await untilHealthy(lab, 'n2')
})

test('all off, then only n2 and n3 on: they elect a leader, and their agents run on', async () => {
  await Promise.all(MEMBERS.map((machine) => lab.poweroff(machine)))
  await Promise.all(['n2', 'n3'].map((machine) => lab.poweron(machine)))
  await Promise.all(['n2', 'n3'].map(leaderSeenBy))
  const before = await Promise.all(['n2', 'n3'].map(unitOf))
  for (const state of before) assert.match(state, /^ActiveState=active .* NRestarts=0$/)
  const since = Date.now()
  await waitFor(
    'the time in which systemd would end them',
    WATCHED_MS + 10_000,
    async () => (Date.now() - since > WATCHED_MS ? true : null),
    5000,
  )
  assert.deepEqual(await Promise.all(['n2', 'n3'].map(unitOf)), before)
  await lab.poweron('n1')
  await untilHealthy(lab, 'n1')
})

test('a member whose Consul has lost its data: the first command is refused, the other brings it back', async () => {
  const secrets = (): Promise<string> => sh('n1', 'sha256sum /etc/understudy/*.pgpass')
  const before = await secrets()
  await sh('n1', 'systemctl stop consul; find /opt/consul -mindepth 1 -delete 2>/dev/null || true')
  await leaderSeenBy('n2')
  await mustRefuse(lab, 'n1', first, 78, /its Consul has lost its data; join it again with --consul-join/)
  assert.equal(await secrets(), before)
  await mustJoin(lab, 'n1', 'n2')
  const status = await untilHealthy(lab, 'n1')
  assert.notEqual(status.primary, 'n1')
  assert.equal(await secrets(), before)
  assert.equal(await sqlAsPostgres(lab, 'n1', 'select pg_is_in_recovery()'), 't')
})

test('another cluster at the address of a member that is dead: the two stay apart', async () => {
  await lab.poweroff('n3')
  const device = (await sh('n4', 'ip -o -4 address')).match(/(\S+)\s+inet 10\.77\./)?.[1] ?? ''
  await sh('n4', `ip address del 10.77.0.14/24 dev ${device}; ip address add 10.77.0.13/24 dev ${device}`)
  await lab.exec('n4', ['understudy', 'join', '--virtual-ip', '10.77.0.101/24'], { timeoutMs: JOIN_MS })
  await untilHealthy(lab, 'n4')
  const config = (machine: string): Promise<string> => get(machine, 'kv/understudy/config?raw')
  const apart = async (): Promise<void> => {
    assert.match(await config('n1'), /10\.77\.0\.100/)
    assert.match(await config('n4'), /10\.77\.0\.101/)
    for (const machine of ['n1', 'n2']) assert.doesNotMatch(await get(machine, 'agent/members'), /"n4"/)
    assert.doesNotMatch(await get('n4', 'agent/members'), /"n[123]"/)
    assert.match(await get('n4', 'status/leader'), /^"10\.77\.0\.13:/)
  }
  await apart()
  await Promise.all(['n1', 'n2', 'n4'].map((machine) => sh(machine, 'systemctl restart consul')))
  await Promise.all(['n1', 'n2', 'n4'].map(leaderSeenBy))
  const since = Date.now()
  // The others look for a member that is away every 30 s.
  await waitFor(
    'every look for a lost member',
    50_000,
    async () => (Date.now() - since > 40_000 ? true : null),
    5000,
  )
  await apart()
  const toAnother = ['understudy', 'join', '--consul-join', '10.77.0.11']
  await mustRefuse(lab, 'n4', toAnother, 64, /already a member of the cluster of 10\.77\.0\.13/)
})
