/** Packages are upgraded, removed and installed again on a cluster whose clients write all the time. */
import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { askRoles, rowsOf, viewAll } from './faults/ask.ts'
import { longestGapMs } from './faults/gaps.ts'
import { deviations } from './faults/order.ts'
import { saveReport } from './faults/report.ts'
import { Stage } from './faults/stage.ts'
import { judge } from './faults/verdict.ts'
import { NETWORK_CLIENT } from './faults/writers.ts'
import { mustJoin, packageFile, statusFrom, untilHealthy } from './lib/cluster.ts'
import { CONSUL_SUITE } from './lib/consul-package.ts'
import type { ExecResult } from './lib/exec.ts'
import { keptPackages } from './lib/packages.ts'
import { putRight } from './lib/restore.ts'
import { steadyNow } from './lib/steady-clock.ts'

/** Within this time everything is in order again, without an operator. */
const RECOVERY_MS = 120_000
const WRITE_MS = 20_000
/** With some patience for a busy host: a start of PostgreSQL waits for Consul for up to 20 s. */
const DPKG_MS = 180_000
/** The periodic check runs every 15 s. */
const CHECKED_MS = 60_000
/** A look costs every machine the start of a program: too many would hinder what they look at. */
const LOOK_AGAIN_MS = 2500

const POSTGRESQL = [
  ...['libpq5', 'postgresql-client-common', 'postgresql-common'],
  ...['postgresql-client-17', 'postgresql-17'],
]
const REPMGR = ['postgresql-17-repmgr', 'repmgr-common']
const DAEMONS = [
  'postgresql@17-main',
  'pgbouncer',
  'keepalived',
  'consul',
  'understudy-syncthing',
  'understudy-repmgrd',
]

let stage: Stage
const packages = new Map<string, string>()

before(async () => {
  const names = [...POSTGRESQL, ...REPMGR, 'pgbouncer', 'keepalived', 'syncthing']
  for (const [name, path] of await keptPackages('trixie', names)) packages.set(name, path)
  for (const [name, path] of await keptPackages(CONSUL_SUITE, ['consul'])) packages.set(name, path)
  packages.set('understudy', packageFile())
  stage = await Stage.open({ name: 'package', tell: console.log })
  for (const { name } of stage.lab.machines)
    for (const path of packages.values()) await stage.lab.copyIn(name, path, inside(path))
})
afterEach(() => putRight(stage.lab, console.error))
after(() => stage?.close())

const inside = (path: string): string => `/var/tmp/debs/${basename(path)}`
const sh = (machine: string, script: string): Promise<ExecResult> =>
  stage.lab.exec(machine, ['sh', '-euc', script], { timeoutMs: DPKG_MS, reject: false })
const must = async (machine: string, script: string): Promise<string> =>
  (await stage.lab.exec(machine, ['sh', '-euc', script], { timeoutMs: DPKG_MS })).stdout.trim()

/** Installs packages again as unattended-upgrades does, with the answers that it gives to dpkg. */
const install = (machine: string, names: readonly string[]): Promise<ExecResult> =>
  stage.lab.exec(
    machine,
    [
      ...['dpkg', '--force-confdef', '--force-confold', '--install'],
      ...names.map((name) => inside(packages.get(name) ?? name)),
    ],
    { env: { DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: DPKG_MS, reject: false },
  )

/** What is not as it should be: units that have failed or are masked, and daemons whose program was replaced under them. */
async function stuckOn(machine: string): Promise<string[]> {
  const script = `systemctl list-units --failed --plain --no-legend | awk '{ print $1 " has failed" }'
    dpkg --audit
    for unit in ${DAEMONS.join(' ')}; do
      case $(readlink "/proc/$(systemctl show --property MainPID --value "$unit")/exe") in
        *deleted*) echo "$unit runs a program that was replaced" ;;
      esac
      case $(systemctl is-enabled "$unit") in masked*) echo "$unit is masked" ;; esac
    done`
  const { stdout } = await stage.lab.exec(machine, ['sh', '-c', script], { reject: false })
  return stdout.split('\n').filter((line) => line !== '')
}

async function untilInOrder(what: string, except: RegExp): Promise<void> {
  const { lab, machines } = stage
  await waitFor(
    `everything is in order after ${what}`,
    RECOVERY_MS,
    async () => {
      const stuck = await Promise.all(machines.map(stuckOn))
      const found = [
        ...deviations(await viewAll(lab)),
        ...stuck.flatMap((lines, index) => lines.map((line) => `${machines[index]}: ${line}`)),
      ].filter((line) => !except.test(line))
      if (found.length === 0) return true
      throw new Error(found.join('; '))
    },
    LOOK_AGAIN_MS,
  )
}

/**
 * Does something to a machine under writers and waits until everything is in order; nothing that was acknowledged may be missing, and
 * no two databases may have acknowledged at the same time.
 * @param except what may differ all the same.
 */
async function play(
  what: string,
  machine: string,
  work: () => Promise<ExecResult>,
  except = /^$/,
): Promise<void> {
  const { lab, writers, machines } = stage
  const before = (await askRoles(lab, machines)).primary
  const from = stage.events.note(`-- ${what} on ${machine}`)
  try {
    const { exitCode, stdout, stderr } = await work()
    const workedMs = stage.events.note('done') - from
    assert.equal(exitCode, 0, `${what} on ${machine}: ${stdout}\n${stderr}`)
    await untilInOrder(`${what} on ${machine}`, except)
    const to = stage.events.note('in order')
    await writers.untilEachWrote(to, WRITE_MS)
    const { primary } = await askRoles(lab, machines)
    assert.ok(primary)
    const known = new Set(writers.attempts.filter(({ acknowledged }) => acknowledged !== null))
    const rows = await rowsOf(lab, primary)
    const attempts = writers.attempts.map((one) => (known.has(one) ? one : { ...one, acknowledged: null }))
    assert.deepEqual(judge({ attempts, rows, sightings: [], commitsWait: true }), [])
    const gap = (writer: string): number =>
      Math.round(longestGapMs(writers.attempts, writer, { from, to: steadyNow() }))
    console.log(
      `${what} on the ${machine === before ? 'primary' : 'standby'} ${machine}: no acknowledgement for ${gap(NETWORK_CLIENT)} ms in the network, ${gap(machine)} ms on the machine; ${Math.round(workedMs)} ms of work, in order after ${Math.round(to - from)} ms; primary ${before} -> ${primary}`,
    )
  } catch (error) {
    console.log(`${what} on ${machine} (${before} was the primary): ${await saveReport(stage)}`)
    throw error
  }
}

/** A standby, then the primary: what an upgrade costs depends on it. */
async function onBothRoles(
  what: string,
  work: (machine: string) => Promise<ExecResult>,
  except?: RegExp,
): Promise<void> {
  const { primary, standbys } = await askRoles(stage.lab, stage.machines)
  for (const machine of [standbys[0], primary]) {
    assert.ok(machine)
    await play(what, machine, () => work(machine), except)
  }
}

describe('understudy is upgraded', () => {
  const FILES = [
    ...['/etc/consul.d/understudy.json', '/etc/consul.d/understudy-services.json', '/etc/repmgr.conf'],
    ...['/etc/keepalived/keepalived.conf', '/etc/pgbouncer/pgbouncer.ini', '/etc/understudy/node.json'],
    ...['/etc/postgresql/17/main/conf.d/understudy.conf', '/etc/postgresql/17/main/pg_hba.conf'],
  ]
  const sums = (machine: string): Promise<string> => must(machine, `md5sum ${FILES.join(' ')}`)
  const starts = (machine: string): Promise<string> =>
    must(
      machine,
      'systemctl show --property ActiveEnterTimestampMonotonic postgresql@17-main pgbouncer keepalived',
    )
  const untilConfigured = (machine: string): Promise<true> =>
    waitFor(`${machine} is configured by this build`, CHECKED_MS, async () => {
      const { exitCode } = await sh(
        machine,
        'test -e /var/lib/understudy/configured && ! systemctl -q is-active understudy-upgrade',
      )
      return exitCode === 0 || null
    })

  /** Leaves a machine as an earlier build might have, which rendered other files; PostgreSQL runs with the settings of that. */
  const AGE = `sed -i 's/^query_wait_timeout = .*/query_wait_timeout = 61/' /etc/pgbouncer/pgbouncer.ini
    sed -i 's/vrrp_garp_master_repeat 3/vrrp_garp_master_repeat 2/' /etc/keepalived/keepalived.conf
    sed -i "s/^wal_keep_size = .*/wal_keep_size = '128MB'/" /etc/postgresql/17/main/conf.d/understudy.conf
    sed -i 's/"interval": "15s"/"interval": "14s"/' /etc/consul.d/understudy-services.json
    sed -i 's/^monitoring_history=.*//' /etc/repmgr.conf; echo '# old' >>/etc/repmgr.conf
    systemctl reload pgbouncer keepalived postgresql@17-main consul
    rm -f /var/lib/understudy/configured`

  test('what it renders is rendered anew and taken over, and no client is disconnected', () =>
    onBothRoles('an upgrade of understudy', async (machine) => {
      const [rendered, started] = [await sums(machine), await starts(machine)]
      await must(machine, AGE)
      assert.notEqual(await sums(machine), rendered)
      const installed = await install(machine, ['understudy'])
      await untilConfigured(machine)
      assert.equal(await sums(machine), rendered)
      assert.equal(await starts(machine), started)
      const show = await must(machine, `runuser -u postgres -- psql -XAtc 'show wal_keep_size'`)
      assert.equal(show, '256MB')
      const timeout = await must(
        machine,
        `runuser -u consul -- psql -XAt -h /var/run/postgresql -p 6432 -U consul pgbouncer -c 'show config' | grep '^query_wait_timeout|'`,
      )
      assert.match(timeout, /^query_wait_timeout\|60\|/)
      return installed
    }))

  test('a setting that PostgreSQL takes at its start only is named, and PostgreSQL goes on', async () => {
    const {
      standbys: [machine],
    } = await askRoles(stage.lab, stage.machines)
    assert.ok(machine)
    const config = '/etc/postgresql/17/main/conf.d/understudy.conf'
    await must(
      machine,
      `sed -i 's/^max_connections = .*/max_connections = 310/' ${config}; systemctl restart postgresql@17-main`,
    )
    await untilHealthy(stage.lab, machine)
    const started = await starts(machine)
    const pending = /has to be restarted for max_connections/
    await play(
      'an upgrade of understudy that wants a restart',
      machine,
      async () => {
        await must(machine, 'rm /var/lib/understudy/configured')
        const installed = await install(machine, ['understudy'])
        await waitFor(
          'the status names the restart',
          CHECKED_MS,
          async () =>
            (await statusFrom(stage.lab, machine)).problems.some((one) => pending.test(one)) || null,
          LOOK_AGAIN_MS,
        )
        return installed
      },
      pending,
    )
    assert.equal(await starts(machine), started)
    await must(machine, 'systemctl restart postgresql@17-main')
    await untilHealthy(stage.lab, machine)
  })

  test('without Consul dpkg ends with 0, and the machine is configured when Consul is back', async () => {
    const {
      standbys: [machine],
    } = await askRoles(stage.lab, stage.machines)
    assert.ok(machine)
    await play('an upgrade of understudy without Consul', machine, async () => {
      await must(
        machine,
        'systemctl stop consul; rm /var/lib/understudy/configured; systemctl mask --runtime consul',
      )
      const installed = await install(machine, ['understudy'])
      await waitFor(
        'the unit has failed',
        CHECKED_MS,
        async () => (await sh(machine, 'test -e /run/understudy/upgrade-failed.json')).exitCode === 0 || null,
      )
      await must(machine, 'systemctl unmask --runtime consul; systemctl start consul')
      await untilConfigured(machine)
      return installed
    })
  })

  test('a member refuses to be removed and purged, and goes on', () =>
    onBothRoles('an attempt to remove understudy', async (machine) => {
      for (const how of ['--remove', '--purge']) {
        const { exitCode, stderr } = await sh(machine, `dpkg ${how} understudy`)
        assert.equal(exitCode, 1)
        assert.match(stderr, /this machine is a member of a cluster/)
      }
      // dpkg remembers the wish.
      await must(machine, 'echo understudy install | dpkg --set-selections')
      return sh(
        machine,
        'dpkg --status understudy | grep -q "^Status: install ok installed"; test -e /etc/understudy/app.pgpass',
      )
    }))
})

describe('minor upgrades', () => {
  const sets: Readonly<Record<string, readonly string[]>> = {
    PostgreSQL: POSTGRESQL,
    repmgr: REPMGR,
    PgBouncer: ['pgbouncer'],
    keepalived: ['keepalived'],
    Syncthing: ['syncthing'],
  }
  for (const [what, names] of Object.entries(sets))
    test(what, () => onBothRoles(`an upgrade of ${what}`, (machine) => install(machine, names)))

  // Its package restarts nothing: whoever upgrades it does.
  test('Consul', () =>
    onBothRoles('an upgrade of Consul', async (machine) => {
      const installed = await install(machine, ['consul'])
      return installed.exitCode === 0 ? sh(machine, 'systemctl restart consul') : installed
    }))

  test('all of them and understudy at once', () =>
    onBothRoles('an upgrade of everything', async (machine) => {
      const installed = await install(machine, [...packages.keys()])
      return installed.exitCode === 0 ? sh(machine, 'systemctl restart consul') : installed
    }))

  test('systemd is reloaded and executed anew', () =>
    onBothRoles('daemon-reexec', (machine) =>
      sh(machine, 'systemctl daemon-reload; systemctl daemon-reexec'),
    ))

  test('every daemon is restarted, as needrestart does', () =>
    onBothRoles('needrestart', (machine) => sh(machine, `systemctl restart ${DAEMONS.join(' ')} polkit`)))
})

describe('a machine is taken out of the cluster by hand', () => {
  test('then the package can be purged and installed again, and with what it knew the machine joins again', async () => {
    const {
      primary,
      standbys: [machine],
    } = await askRoles(stage.lab, stage.machines)
    assert.ok(machine)
    await play('a purge and a new installation', machine, async () => {
      await must(
        machine,
        `systemctl disable --now --quiet understudy-watchdog.timer understudy-repmgrd understudy-syncthing keepalived pgbouncer
        systemctl stop postgresql@17-main; systemctl disable --now --quiet consul
        cp -a /etc/understudy /root/kept; cp -a /var/lib/understudy /root/kept-data; rm /etc/understudy/node.json`,
      )
      await must(machine, 'dpkg --purge understudy')
      assert.equal(
        await must(
          machine,
          `find /etc/understudy /var/lib/understudy /usr/lib/understudy /etc/systemd/system -name '*understudy*' 2>/dev/null || true`,
        ),
        '',
      )
      const installed = await install(machine, ['understudy'])
      await must(machine, 'cp -a /root/kept/. /etc/understudy/; cp -a /root/kept-data/. /var/lib/understudy/')
      if (installed.exitCode === 0) await mustJoin(stage.lab, machine, primary ?? undefined)
      return installed
    })
  })
})
