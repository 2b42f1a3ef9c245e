/** Services of the operator: on every machine, and on the active one, whatever happens to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '../../lib/core/wait.ts'
import { type ServiceMoves, servicesPaths } from '../../lib/services/manifest.ts'
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
import { wordsOnAll } from './lib/lines.ts'
import { ownCluster } from './lib/own-cluster.ts'

const all = ['n1', 'n2', 'n3'] as const
const WEB = 8100
const REST = 8101
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
/** Who answers a client of the service at the virtual IP. */
const client = async (): Promise<string> =>
  (await lab.clientExec(['curl', '-s', '--max-time', '2', `http://${VIRTUAL_IP}:${REST}/`])).stdout.trim()
const addressOf = (machine: string): string =>
  lab.machines.find(({ name }) => name === machine)?.address ?? ''

test('bad input is one sentence, and changes nothing', async () => {
  await install('web', WEB, ['n1'])
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
  await install('web', WEB, ['n2'])
  const added = await services('n1', 'add', 'web', '--unit=web', `--check=http://localhost:${WEB}/`)
  assert.equal(added.exitCode, 0, added.stderr)
  console.log(added.stdout)
  await waitFor('the status names the machine that lacks the unit', SETTLED_MS, async () => {
    const { problems } = await statusFrom(lab, 'n1')
    return problems.some((text) => /n3.*this machine has no unit web\.service/.test(text)) || null
  })
  await install('web', WEB, ['n3'])
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
    // What is only stopped is started again.
    await sh(
      'n3',
      name === 'by-command' ? 'touch /srv/web/broken' : 'chmod -x /usr/local/bin/web; systemctl stop web',
    )
    await untilNamed(name, 'n1', [addressOf('n1'), addressOf('n2')].join())
    await sh('n3', name === 'by-command' ? 'rm /srv/web/broken' : 'chmod +x /usr/local/bin/web')
    await untilNamed(name, 'n1', all.map(addressOf).join())
    assert.equal((await services('n1', 'remove', name)).exitCode, 0)
    await untilNamed(name, 'n1', 'ENOTFOUND')
  }
  for (const machine of all) await sh(machine, 'systemctl disable --now web')
  await untilHealthy(lab, 'n1')
})

test('active: on the machine with the virtual IP, through a power cut, a planned stop and a boot', async () => {
  // Enabled and running everywhere, as a package leaves it.
  await install('rest', REST)
  for (const machine of all) await sh(machine, 'systemctl enable --now rest')
  const added = await services('n2', 'add', 'rest', '--unit=rest', `--check=tcp:${REST}`, '--run=active')
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

/** Writes its epoch and the time until it is killed: it does not end by itself. */
const TICKS = `#!/bin/sh
trap '' TERM
while :; do echo "$UNDERSTUDY_LOCK_EPOCH $(date +%s%3N)" >>/var/tmp/ticks; sleep 0.1; done
`
interface Tick {
  machine: string
  epoch: number
  at: number
}
async function ticks(): Promise<Tick[]> {
  const lines = await wordsOnAll(lab, all, '/var/tmp/ticks')
  return lines
    .map(({ machine, words: [epoch, at] }) => ({ machine, epoch: Number(epoch), at: Number(at) }))
    .sort((one, other) => one.at - other.at)
}

test('exclusive: under its lock, and never beside another machine', async () => {
  await install('ticks', 0)
  for (const machine of all) {
    await lab.exec(machine, ['sh', '-c', 'cat >/usr/local/bin/ticks'], { input: TICKS })
    await sh(machine, 'systemctl disable --now ticks')
  }
  const first = await untilPrimary(lab, 'n1')
  const added = await services('n1', 'add', 'ticks', '--unit=ticks', '--run=active', '--exclusive')
  assert.equal(added.exitCode, 0, added.stderr)
  await untilRunning('ticks.service', [first])
  assert.match((await services('n2', 'list')).stdout, /ticks\.service, on the active machine, under its lock/)
  // Nobody starts it without the lock.
  const other = all.find((machine) => machine !== first) ?? ''
  await sh(other, 'systemctl start ticks')
  assert.deepEqual(await running('ticks.service'), [first])

  // Whatever ends what holds the lock ends the unit.
  const epoch = (await ticks()).at(-1)?.epoch ?? 0
  await sh(first, "systemctl kill --signal=KILL 'understudy-lock-service.ticks-*'")
  await waitFor('it runs again, under a later epoch', SETTLED_MS, async () => {
    const last = (await ticks()).at(-1)
    return (last !== undefined && last.machine === first && last.epoch > epoch) || null
  })

  const cut = Date.now()
  await lab.cut(first)
  const others = all.filter((machine) => machine !== first)
  const second = await waitFor(
    'another machine runs it',
    2 * SETTLED_MS,
    async () => (await running('ticks.service', others)).at(0) ?? null,
  )
  console.log(`cable out: it runs on ${second} after ${Date.now() - cut} ms`)
  await lab.heal(first)
  await untilHealthy(lab, second)
  await untilRunning('ticks.service', [second])
  await lab.poweroff(second)
  const off = Date.now()
  const left = all.filter((machine) => machine !== second)
  await waitFor(
    'a third time',
    2 * SETTLED_MS,
    async () => (await running('ticks.service', left)).at(0) ?? null,
  )
  console.log(`power cut: it runs again after ${Date.now() - off} ms`)
  await lab.poweron(second)
  await untilHealthy(lab, 'n1')

  const seen = await ticks()
  const epochs = [...new Set(seen.map((tick) => tick.epoch))]
  assert.ok(epochs.length >= 4 && !epochs.includes(0), epochs.join())
  for (const [index, tick] of seen.entries())
    assert.ok(
      index === 0 || tick.epoch >= (seen[index - 1]?.epoch ?? 0),
      JSON.stringify([seen[index - 1], tick]),
    )
  assert.equal((await services('n1', 'remove', 'ticks')).exitCode, 0)
  await untilRunning('ticks.service', [])
  for (const machine of all) await sh(machine, 'rm -f /var/tmp/ticks')
  await untilHealthy(lab, 'n1')
})

/** The machine may give way at once: it has been active for long enough. */
const activeForLong = (machine: string): Promise<string> =>
  sh(machine, `touch --date='5 minutes ago' ${servicesPaths.active}`)
const key = 'understudy/service-moves'
/** As if the last move was so long ago. */
async function movedBefore(minutes: number): Promise<void> {
  const moves = JSON.parse(await sh('n1', `consul kv get ${key}`)) as ServiceMoves
  const movedAt = new Date(Date.now() - minutes * 60_000).toISOString()
  await lab.exec('n1', ['consul', 'kv', 'put', key, '-'], { input: JSON.stringify({ ...moves, movedAt }) })
}
/** It stays so, although there was time to change. */
async function staysActive(machine: string, seconds: number): Promise<void> {
  const until = Date.now() + seconds * 1000
  while (Date.now() < until) {
    assert.equal(await untilPrimary(lab, 'n1'), machine)
    await pause(2000)
  }
  assert.deepEqual(await running('rest.service'), [machine])
  assert.deepEqual(await holdersOf(lab, all), [machine])
}

test('gives way: one that flaps moves nothing; one that fails moves the active role once', async () => {
  await install('rest', REST)
  const first = await untilPrimary(lab, 'n1')
  const added = await services(
    ...(['n1', 'add', 'rest', '--unit=rest', '--run=active', '--gives-way'] as const),
    `--check=http://localhost:${REST}/`,
  )
  assert.equal(added.exitCode, 0, added.stderr)
  await untilRunning('rest.service', [first])
  await untilNamed('rest', 'n1', addressOf(first))
  await activeForLong(first)
  const flapping = lab.exec(
    first,
    [
      'sh',
      '-c',
      'for i in 1 2 3 4 5; do touch /srv/rest/broken; sleep 7; rm /srv/rest/broken; sleep 7; done',
    ],
    { timeoutMs: 120_000 },
  )
  await staysActive(first, 60)
  await flapping
  await untilNamed('rest', 'n1', addressOf(first))

  const failed = Date.now()
  await sh(first, 'touch /srv/rest/broken')
  const second = await waitFor('another machine serves', 120_000, async () => {
    const machine = await client().catch(() => '')
    return machine !== '' && machine !== first ? machine : null
  })
  console.log(`failed: ${second} serves after ${Date.now() - failed} ms`)
  await untilWritable(lab, password, 60_000)
  await untilRunning('rest.service', [second])
  await untilHealthy(lab, second)
  // No fail-back.
  await sh(first, 'rm /srv/rest/broken')
  await staysActive(second, 30)

  // It fails on the others as well: not at once, to the third once, and then it stays.
  for (const machine of all) await sh(machine, 'touch /srv/rest/broken')
  await activeForLong(second)
  await staysActive(second, 40)
  await movedBefore(10)
  const third = await waitFor('the third machine serves', 120_000, async () => {
    const machine = await client().catch(() => '')
    return machine !== '' && ![first, second].includes(machine) ? machine : null
  })
  await untilRunning('rest.service', [third])
  await untilWritable(lab, password, 60_000)
  await activeForLong(third)
  await movedBefore(100)
  await staysActive(third, 45)
  for (const machine of all) await sh(machine, 'rm -f /srv/rest/broken')
  await untilHealthy(lab, third)
  console.log(await sh('n1', `consul kv get ${key}`))
})

test('gives way: a unit that systemd has given up; the run that hands over is killed', async () => {
  const first = await untilPrimary(lab, 'n1')
  await sh('n1', `consul kv delete ${key}`)
  await activeForLong(first)
  await sh(first, 'chmod -x /usr/local/bin/rest; systemctl kill --signal=KILL rest')
  await waitFor('it hands over', 120_000, async () =>
    (await sh(first, `test ! -e ${servicesPaths.handingOver} || echo yes`)) === 'yes' ? true : null,
  )
  await sh(first, 'systemctl kill --signal=KILL understudy-services || true')
  await sh(first, 'chmod +x /usr/local/bin/rest')
  await untilWritable(lab, password, 60_000)
  const { primary } = await untilHealthy(lab, 'n1')
  assert.ok(typeof primary === 'string')
  await untilRunning('rest.service', [primary])
  console.log(`killed while it handed over: ${first} -> ${primary}`)
})
