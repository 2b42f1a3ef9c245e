/** Services of the operator: on every machine, and on the active one, whatever happens to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { servicesPaths } from '../../lib/services/manifest.ts'
import {
  holdersOf,
  statusFrom,
  untilHealthy,
  untilPrimary,
  untilWritable,
  VIRTUAL_IP,
} from './lib/cluster.ts'
import type { ExecResult } from './lib/exec.ts'
import type { Lab } from './lib/lab.ts'
import { ownCluster } from './lib/own-cluster.ts'

const all = ['n1', 'n2', 'n3'] as const
const PORT = 8100
/** Of a check in Consul, a run of the handler and a busy host. */
const SETTLED_MS = 60_000
let lab: Lab
let password = ''

ownCluster('services', (own, secret) => {
  lab = own
  password = secret
})

const services = (machine: string, ...args: string[]): Promise<ExecResult> =>
  lab.exec(machine, ['understudy', 'services', ...args], { reject: false, timeoutMs: 60_000 })
const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 60_000 })).stdout.trim()

/** A web server that says which machine it runs on, and fails while /srv/NAME/broken exists. */
const webServer = (name: string, port: number): string => `#!/usr/bin/node
require('http').createServer((request, response) => {
  response.statusCode = require('fs').existsSync('/srv/${name}/broken') ? 500 : 200
  response.end(require('os').hostname())
}).listen(${port})
process.on('SIGTERM', () => setTimeout(() => process.exit(0), 100))
`
const unitText = (name: string): string => `[Unit]
Description=${name}
[Service]
ExecStart=/usr/local/bin/${name}
Restart=on-failure
[Install]
WantedBy=multi-user.target
`
async function install(name: string, port: number, machines: readonly string[] = all): Promise<void> {
  for (const machine of machines) {
    const put = async (path: string, text: string, mode: string): Promise<void> => {
      await lab.exec(machine, ['sh', '-euc', `mkdir -p /srv/${name}; cat >${path}; chmod ${mode} ${path}`], {
        input: text,
      })
    }
    await put(`/usr/local/bin/${name}`, webServer(name, port), '755')
    await put(`/etc/systemd/system/${name}.service`, unitText(name), '644')
    await sh(machine, 'systemctl daemon-reload')
  }
}

/** The machines on which a unit is active. */
async function running(unit: string, machines: readonly string[] = all): Promise<string[]> {
  const states = await Promise.all(
    machines.map(async (machine) => sh(machine, `systemctl is-active ${unit} || true`)),
  )
  return machines.filter((_machine, index) => states[index] === 'active')
}
const untilRunning = (unit: string, wanted: readonly string[], machines: readonly string[] = all) =>
  waitFor(`${unit} runs on ${wanted.join(', ')} only`, SETTLED_MS, async () => {
    const found = await running(unit, machines)
    if (found.join() === wanted.join()) return found
    throw new Error(`it runs on ${found.join(', ') || 'no machine'}`)
  })
/** The addresses that Consul's DNS on a machine has for a service. */
const addressesOf = (name: string, machine: string): Promise<string> =>
  sh(
    machine,
    `node -e "const r = new (require('dns').promises.Resolver)(); r.setServers(['127.0.0.1:8600'])
     r.resolve4('${name}.service.consul').then((a) => console.log(a.sort().join()), (e) => console.log(e.code))"`,
  )
const untilNamed = (name: string, machine: string, wanted: string): Promise<boolean> =>
  waitFor(`${name}.service.consul is ${wanted} on ${machine}`, SETTLED_MS, async () => {
    const found = await addressesOf(name, machine)
    if (found === wanted) return true
    throw new Error(found)
  })
const addressOf = (machine: string): string =>
  lab.machines.find(({ name }) => name === machine)?.address ?? ''

test('bad input is one sentence, and changes nothing', async () => {
  await install('web', PORT, ['n1'])
  const refused = async (code: number, said: RegExp, ...args: string[]): Promise<void> => {
    const { exitCode, stderr } = await services('n1', 'add', ...args)
    assert.equal(exitCode, code, `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, said)
    assert.equal(stderr.trim().split('\n').length, 1, stderr)
  }
  await refused(78, /this machine has no unit nothing\.service/, 'web', '--unit=nothing')
  for (const unit of ['consul', 'postgresql@17-main', 'pgbouncer', 'keepalived', 'understudy-failover'])
    await refused(64, /is a unit of the system or of the cluster itself/, 'web', `--unit=${unit}`)
  await refused(64, /^understudy services: a check is http/, 'web', '--unit=web', '--check=tcp:70000')
  await refused(78, /is no URL .* no command ftp:/, 'web', '--unit=web', '--check=ftp://localhost/')
  for (const name of ['postgresql', 'pgbouncer', 'consul', 'understudy'])
    await refused(64, /the name \S+ is taken by another service/, name, '--unit=web')
  await refused(64, /the name of a service has up to 63/, 'No_Name', '--unit=web')
  await refused(64, /--run takes everywhere or active/, 'web', '--unit=web', '--run=sometimes')
  await sh('n1', 'systemctl stop consul')
  await refused(69, /Consul does not answer/, 'web', '--unit=web')
  await sh('n1', 'systemctl start consul')
  await untilHealthy(lab, 'n1')
  assert.equal((await services('n1', 'list')).stdout, 'the cluster has no services')
  assert.equal('services' in (await statusFrom(lab, 'n1')), false)
})

test('everywhere: started and enabled on every machine, with a name in DNS; one that fails loses it', async () => {
  await install('web', PORT, ['n2'])
  const added = await services('n1', 'add', 'web', '--unit=web', `--check=http://localhost:${PORT}/`)
  assert.equal(added.exitCode, 0, added.stderr)
  console.log(added.stdout)
  await waitFor('the status names the machine that lacks the unit', SETTLED_MS, async () => {
    const { problems } = await statusFrom(lab, 'n1')
    return problems.some((text) => /n3.*this machine has no unit web\.service/.test(text)) || null
  })
  await install('web', PORT, ['n3'])
  await untilRunning('web.service', all)
  const everywhere = all.map(addressOf).join()
  await untilNamed('web', 'n2', everywhere)
  const { services: reports } = await untilHealthy(lab, 'n1')
  assert.deepEqual(reports?.[0]?.machines['n2'], { state: 'here', check: 'passing' })
  for (const machine of all) assert.equal(await sh(machine, 'systemctl is-enabled web'), 'enabled')
  await sh('n2', 'touch /srv/web/broken')
  await untilNamed('web', 'n1', [addressOf('n1'), addressOf('n3')].join())
  await sh('n2', 'rm /srv/web/broken')
  await untilNamed('web', 'n1', everywhere)
  assert.equal((await services('n3', 'remove', 'web')).exitCode, 0)
  await untilNamed('web', 'n1', 'ENOTFOUND')
  // The unit stays as it is.
  assert.deepEqual(await running('web.service'), [...all])
  await waitFor('n1 has forgotten it', SETTLED_MS, async () =>
    (await sh('n1', `test -e ${servicesPaths.applied} || echo gone`)) === 'gone' ? true : null,
  )
  await untilHealthy(lab, 'n1')
  assert.equal('services' in (await statusFrom(lab, 'n1')), false)
})

test('a command as a check, and no check: systemd says whether the unit is active', async () => {
  for (const [name, check] of [
    ['by-command', ['--check=test ! -e /srv/web/broken']],
    ['by-unit', []],
  ] as const) {
    const added = await services('n1', 'add', name, '--unit=web', ...check)
    assert.equal(added.exitCode, 0, added.stderr)
    await untilNamed(name, 'n1', all.map(addressOf).join())
    await sh('n3', name === 'by-command' ? 'touch /srv/web/broken' : 'systemctl mask --now --runtime web')
    await untilNamed(name, 'n1', [addressOf('n1'), addressOf('n2')].join())
    await sh('n3', name === 'by-command' ? 'rm /srv/web/broken' : 'systemctl unmask --runtime web')
    await untilNamed(name, 'n1', all.map(addressOf).join())
    assert.equal((await services('n1', 'remove', name)).exitCode, 0)
    await untilNamed(name, 'n1', 'ENOTFOUND')
  }
  for (const machine of all) await sh(machine, 'systemctl disable --now web')
  await untilHealthy(lab, 'n1')
})

test('active: on the machine with the virtual IP, through a power cut, a planned stop and a boot', async () => {
  // Enabled and running everywhere, as a package leaves it.
  await install('rest', PORT)
  for (const machine of all) await sh(machine, 'systemctl enable --now rest')
  const added = await services('n2', 'add', 'rest', '--unit=rest', `--check=tcp:${PORT}`, '--run=active')
  assert.equal(added.exitCode, 0, added.stderr)
  console.log(added.stdout)
  const first = await untilPrimary(lab, 'n1')
  await untilRunning('rest.service', [first])
  for (const machine of all)
    assert.equal(await sh(machine, 'systemctl is-enabled rest || true'), 'disabled', machine)
  await untilNamed('rest', 'n3', addressOf(first))
  const standby = all.find((machine) => machine !== first) ?? ''
  // Nobody starts it elsewhere.
  await sh(standby, 'systemctl start rest')
  assert.deepEqual(await running('rest.service'), [first])
  const client = async (): Promise<string> =>
    (await lab.clientExec(['curl', '-s', '--max-time', '2', `http://${VIRTUAL_IP}:${PORT}/`])).stdout.trim()
  assert.equal(await client(), first)

  const rest = all.filter((machine) => machine !== first)
  const cut = Date.now()
  await lab.poweroff(first)
  await untilWritable(lab, password, 60_000)
  const writableMs = Date.now() - cut
  const second = await waitFor('a client of the service is served', SETTLED_MS, async () => {
    const machine = await client().catch(() => '')
    return rest.includes(machine as 'n1') ? machine : null
  })
  console.log(`power cut: writable after ${writableMs} ms, the service answers after ${Date.now() - cut} ms`)
  assert.equal(await untilPrimary(lab, second), second)
  await untilNamed('rest', second, addressOf(second))
  await lab.poweron(first)
  await untilHealthy(lab, second)
  assert.deepEqual(await running('rest.service'), [second])

  // The machine stays up, its database stops.
  const stopped = Date.now()
  await sh(second, 'systemctl stop postgresql@17-main')
  const third = await waitFor('another machine serves', SETTLED_MS, async () => {
    const machine = await client().catch(() => '')
    return machine !== '' && machine !== second ? machine : null
  })
  console.log(`database stopped: the service answers from ${third} after ${Date.now() - stopped} ms`)
  await untilRunning('rest.service', [third])
  await untilHealthy(lab, third)
  assert.deepEqual(await holdersOf(lab, all), [third])
  const order = await sh(
    second,
    `journalctl --boot -o short-unix --since=-5min | grep -E 'Stopped rest.service|avahi|Removed|removing|BACKUP STATE|FAULT STATE' | tail -5 || true`,
  )
  console.log(order)
})

test('active: a service that does not stop is killed, and the address does not wait for it', async () => {
  const first = await untilPrimary(lab, 'n1')
  for (const machine of all)
    await sh(
      machine,
      `sed -i "s/process.on.'SIGTERM'.*/process.on('SIGTERM', () => {})/" /usr/local/bin/rest`,
    )
  await sh(
    first,
    'systemctl kill --signal=KILL rest; sleep 1; systemctl is-active rest || systemctl start rest',
  )
  await untilRunning('rest.service', [first])
  const stopped = Date.now()
  await sh(first, 'systemctl stop --no-block postgresql@17-main')
  await waitFor('the address has left', SETTLED_MS, async () =>
    (await holdersOf(lab, [first])).length === 0 ? true : null,
  )
  const leftMs = Date.now() - stopped
  await untilWritable(lab, password, 60_000)
  console.log(`the address left after ${leftMs} ms, writable after ${Date.now() - stopped} ms`)
  const others = all.filter((machine) => machine !== first)
  await waitFor('another machine runs it', SETTLED_MS, async () =>
    (await running('rest.service', others)).length === 1 ? true : null,
  )
  await waitFor('it is killed', SETTLED_MS, async () =>
    (await running('rest.service', [first])).length === 0 ? true : null,
  )
  await untilHealthy(lab, 'n1')
  assert.equal((await services('n1', 'remove', 'rest')).exitCode, 0)
  await waitFor('nothing is left', SETTLED_MS, async () =>
    (await sh('n2', `test -e ${servicesPaths.guard('rest.service')} || echo gone`)) === 'gone' ? true : null,
  )
  await untilHealthy(lab, 'n1')
})
