/** The lab itself: what every other test on machines stands on. Needs root and takes about half a minute. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { Lab } from './lib/lab.ts'
import { pickArchive, transportOptions } from './lib/mirror.ts'
import { statusOf } from './lib/status.ts'

const name = 'labtest'
let lab: Lab

before(async () => {
  await Lab.remove(name) // what an interrupted run left
  lab = await Lab.up({ name, machines: 2 })
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
  await assert.rejects(lab.exec('n9', ['true']), /no machine "n9"; it has n1, n2/)
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
  assert.equal(await answers('10.77.0.12'), true)
  await lab.freeze('n2')
  await assert.rejects(lab.exec('n2', ['true']), /frozen/)
  await lab.thaw('n2')
  await lab.exec('n2', ['true'])
})

test('down leaves nothing', async () => {
  await lab.down()
  const namespaces = await execa('ip', ['netns', 'list'])
  assert.doesNotMatch(namespaces.stdout, /us-labtest/)
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
