/** The lab itself: what every other test on machines stands on. Needs root and takes about half a minute. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { until } from './lib/host.ts'
import { Lab } from './lib/lab.ts'
import { pickArchive, transportOptions } from './lib/mirror.ts'
import { statusOf } from './lib/status.ts'

const name = 'labtest'
let lab: Lab

before(async () => {
  await Lab.remove(name) // what an interrupted run left
  lab = await Lab.up({ name, machines: 3, clocks: true })
})
after(() => Lab.remove(name))

/** Whether a machine answers the client. */
async function answers(address: string): Promise<boolean> {
  return (await lab.clientExec(['ping', '-c1', '-W1', address], { reject: false })).exitCode === 0
}

test('machines boot completely and see each other', async () => {
  const status = await statusOf(lab)
  assert.deepEqual(
    status.machines.map(({ name: machine, power, link, system }) => [machine, power, link, system]),
    [
      ['n1', 'on', 'up', 'running'],
      ['n2', 'on', 'up', 'running'],
      ['n3', 'on', 'up', 'running'],
    ],
  )
  await lab.exec('n1', ['ping', '-c1', '-W1', 'n2'])
})

test('each machine has a PostgreSQL cluster of its own', async () => {
  const sql = 'select system_identifier from pg_control_system()'
  const ask = (machine: string) => lab.exec(machine, ['runuser', '-u', 'postgres', '--', 'psql', '-Atc', sql])
  const [one, two] = await Promise.all([ask('n1'), ask('n2')])
  assert.match(one.stdout, /^\d+$/)
  assert.notEqual(one.stdout, two.stdout)
})

test('exec passes input, output and status, and has a deadline', async () => {
  const echoed = await lab.exec('n1', ['sh', '-c', 'cat; echo "$X" >&2'], { input: 'in', env: { X: 'err' } })
  assert.deepEqual(echoed, { stdout: 'in', stderr: 'err', exitCode: 0 })
  await assert.rejects(lab.exec('n1', ['sh', '-c', 'echo why >&2; exit 3']), /exit 3: in n1.*\nwhy/s)
  await assert.rejects(lab.exec('n1', ['sleep', '70'], { timeoutMs: 200 }), /no end after 0.2 s/)
  assert.equal((await lab.exec('n1', ['pgrep', '-x', 'sleep'], { reject: false })).exitCode, 1)
  await assert.rejects(lab.exec('n9', ['true']), /no machine "n9"; it has n1, n2, n3/)
})

test('a power cut is silent and keeps the disk', async () => {
  await lab.exec('n2', ['sh', '-c', 'echo kept >/root/file; ip address add 10.77.0.100/24 dev eth0'])
  const started = performance.now()
  await lab.poweroff('n2')
  assert.ok(performance.now() - started < 500)
  assert.equal(await answers('10.77.0.12'), false)
  await assert.rejects(lab.exec('n2', ['true']), /n2 of lab labtest is not powered on/)
  await lab.poweron('n2')
  assert.equal((await lab.exec('n2', ['cat', '/root/file'])).stdout, 'kept')
  assert.equal(await answers('10.77.0.100'), false, 'an address does not outlive the power')
})

test('a pulled cable and a frozen machine', async () => {
  await lab.cut('n2')
  assert.equal(await answers('10.77.0.12'), false)
  await lab.exec('n2', ['true'])
  await lab.heal('n2')
  // The kernel takes up to a second to notice a link.
  await until('n2 answers again', 5_000, async () => (await answers('10.77.0.12')) || undefined)
  await lab.freeze('n2')
  await assert.rejects(lab.exec('n2', ['true']), /frozen/)
  await lab.thaw('n2')
  await lab.exec('n2', ['true'])
})

/** Whether a packet of one machine comes back from another. */
async function reaches(from: string, to: string): Promise<boolean> {
  return (await lab.exec(from, ['ping', '-c1', '-W1', to], { reject: false })).exitCode === 0
}

/** Whether a TCP connection to PostgreSQL's port of another machine ends in any answer, a refusal included. */
async function connects(from: string, to: string, port: number): Promise<boolean> {
  const script = `const s = require('node:net').connect(${port}, '${to}'); setTimeout(() => process.exit(1), 700)
    s.on('connect', () => process.exit(0)); s.on('error', () => process.exit(0))`
  return (await lab.exec(from, ['node', '-e', script], { reject: false })).exitCode === 0
}

test('a block between two machines concerns nobody else, and outlives the power', async () => {
  await lab.block({ between: ['n1', 'n2'] })
  assert.equal(await reaches('n1', 'n2'), false)
  assert.equal(await reaches('n1', 'n3'), true)
  assert.equal(await reaches('n3', 'n2'), true)
  assert.equal(await answers('10.77.0.11'), true)
  assert.equal(await answers('10.77.0.12'), true)
  assert.equal(
    (await lab.exec('n1', ['arping', '-c1', '-w1', '-I', 'eth0', '10.77.0.12'], { reject: false })).exitCode,
    1,
  )
  assert.deepEqual((await statusOf(lab)).blocks, ['n1 to n2', 'n2 to n1'])
  await lab.poweroff('n2')
  await lab.poweron('n2')
  assert.equal(await reaches('n2', 'n1'), false)
  assert.equal(await reaches('n2', 'n3'), true)
  await lab.unblock()
  assert.equal(await reaches('n2', 'n1'), true)
  await lab.unblock() // nothing to do is no error
})

test('a block can be for one direction, and for ports', async () => {
  await lab.block({ between: ['n1', 'n2'], oneWay: true })
  // Datagrams: whatever needs an answer cannot tell the directions apart.
  const listen = `const s = require('node:dgram').createSocket('udp4'); s.bind(9, () => console.log('ready'))
    s.on('message', (text) => { console.log(String(text)); process.exit(0) }); setTimeout(() => process.exit(1), 1500)`
  const send = (to: string) =>
    `const s = require('node:dgram').createSocket('udp4'); const t = setInterval(() => s.send('heard', 9, '${to}'), 50)
    setTimeout(() => process.exit(0), 1200)`
  const hears = async (from: string, to: string, machine: string) => {
    // Known beforehand: resolving the address of the other one takes an answer.
    await lab.exec(from, ['ip', 'neighbour', 'replace', to, 'lladdr', mac(machine), 'dev', 'eth0'])
    const [heard] = await Promise.all([
      lab.exec(machine, ['node', '-e', listen], { reject: false }),
      lab.exec(from, ['node', '-e', send(to)]),
    ])
    return heard.stdout.includes('heard')
  }
  const mac = (machine: string) =>
    `02:77:00:00:00:${(10 + Number(machine.slice(1))).toString(16).padStart(2, '0')}`
  assert.equal(await hears('n2', '10.77.0.11', 'n1'), true)
  assert.equal(await hears('n1', '10.77.0.12', 'n2'), false)
  await lab.unblock()

  await lab.block({ between: ['n1', 'n2'], ports: [5432, 8300] })
  assert.equal(await connects('n1', '10.77.0.12', 5432), false)
  assert.equal(await connects('n2', '10.77.0.11', 8300), false)
  assert.equal(await connects('n1', '10.77.0.12', 22), true)
  assert.equal(await reaches('n1', 'n2'), true)
  assert.equal(await connects('n1', '10.77.0.13', 5432), true)
  await lab.unblock()
  await assert.rejects(lab.block({ between: ['n1', 'n9'] }), /no machine "n9"/)
  await assert.rejects(lab.block({ between: ['n1', 'n1'] }), /from itself/)
  await assert.rejects(lab.block({ between: ['n1', 'n2'], ports: [0] }), /1 to 65535/)
})

/** SQL on a machine's database. */
const sql = (machine: string, text: string) =>
  lab.exec(machine, ['runuser', '-u', 'postgres', '--', 'psql', '-XAtqc', text], { reject: false })

test('the file system of the databases can be filled, keeps its data over a power cut, and be freed', async () => {
  const write =
    'create table if not exists filler as select repeat(md5(n::text), 99) from generate_series(1, 20000) n'
  await sql('n2', 'create table kept as select 1')
  await lab.fillDisk('n2')
  const { stdout } = await lab.exec('n2', ['df', '--output=avail', '/var/lib/postgresql'])
  assert.equal(stdout.split('\n').at(-1)?.trim(), '0')
  assert.match((await sql('n2', write)).stderr, /No space left on device|server closed|not accept/)
  await lab.poweroff('n2')
  await lab.poweron('n2')
  await lab.freeDisk('n2')
  await lab.exec('n2', ['systemctl', 'restart', 'postgresql@*'])
  assert.equal((await sql('n2', 'select count(*) from kept')).stdout, '1')
  assert.equal((await sql('n2', write)).exitCode, 0)
})

test("the file system of Consul's data can be filled and freed by itself", async () => {
  const available = async (): Promise<string> =>
    (await lab.exec('n3', ['df', '--output=avail', '/var/lib/consul'])).stdout.split('\n').at(-1)?.trim() ??
    ''
  await lab.fillDisk('n3', 'consul')
  assert.equal(await available(), '0')
  assert.equal((await sql('n3', 'create table elsewhere as select 1')).exitCode, 0)
  await lab.freeDisk('n3', 'consul')
  assert.notEqual(await available(), '0')
})

test('a wall clock can be moved, for what systemd and Consul start, and for PostgreSQL', async () => {
  const unit = ['systemd-run', '--quiet', '--wait', '--pipe']
  /** What three kinds of programs think the time is, in seconds from now; to ten seconds, which asking may take. */
  const offsets = async (machine: string) => {
    const now = Date.now()
    const answers = await Promise.all([
      lab.exec(machine, [...unit, 'date', '+%s000']),
      lab.exec(machine, [...unit, '--uid=consul', 'node', '-p', 'Date.now()']),
      sql(machine, 'select (extract(epoch from now()) * 1000)::bigint'),
    ])
    return answers.map(({ stdout }) => Number(((Number(stdout) - now) / 10_000).toFixed()) * 10 + 0)
  }
  await lab.moveClock('n1', 3_600)
  assert.deepEqual(await offsets('n1'), [3_600, 3_600, 3_600])
  assert.deepEqual(await offsets('n2'), [0, 0, 0])
  await lab.moveClock('n1', -120)
  assert.deepEqual(await offsets('n1'), [-120, -120, -120])
  await lab.poweroff('n1')
  await lab.poweron('n1')
  assert.deepEqual(await offsets('n1'), [-120, -120, -120], 'a wrong clock outlives the power')
  await lab.moveClock('n1', 0)
  assert.deepEqual(await offsets('n1'), [0, 0, 0])
  assert.equal((await lab.exec('n1', ['systemctl', 'is-system-running'])).stdout, 'running')
})

test('down leaves nothing', async () => {
  await lab.down()
  const namespaces = await execa('ip', ['netns', 'list'])
  assert.doesNotMatch(namespaces.stdout, /us-labtest/)
  await until('the loop devices are free again', 5_000, async () => {
    const { stdout } = await execa('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])
    return stdout.includes('/labtest/') ? undefined : true
  })
  await assert.rejects(Lab.open(name), /there is no lab labtest/)
})

test('the Debian archive is found among other sources', () => {
  const at = (uri: string, release: string, origin: string, label = origin) =>
    ({ uri, release, origin, label, component: 'main' }) as const
  const debian = at('http://mirror.example/debian/', 'trixie', 'Debian')
  const security = at(
    'http://mirror.example/debian-security/',
    'trixie-security',
    'Debian',
    'Debian-Security',
  )
  const other = at('https://other.example/', 'trixie', 'Other')
  assert.equal(pickArchive([other, security, debian]), debian.uri)
  assert.equal(pickArchive([other, { ...debian, origin: '$(ORIGIN)' }]), debian.uri)
  assert.equal(pickArchive([other]), undefined)
})

test("the host's way to the mirror is passed on", () => {
  const dump =
    'Acquire "";\nAcquire::http::Proxy "http://proxy.example:3128";\nAcquire::Languages:: "none";\nAPT::X "1";'
  assert.deepEqual(transportOptions(dump), ['Acquire::http::Proxy "http://proxy.example:3128"'])
})
