/** Promotions that meet an obstacle, or a second fault before they are published. Promises S2 and S3. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { SESSION_OPTIONS } from '../../lib/postgresql/config-session.ts'
import {
  primaryAndStandbys,
  sqlAsPostgres,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
  untilWritable,
} from './lib/cluster.ts'
import type { Lab } from './lib/lab.ts'
import { ownCluster } from './lib/own-cluster.ts'

const name = 'promotion'
const all = ['n1', 'n2', 'n3']
/** What a failover takes that meets an obstacle, with room for a busy host. */
const OBSTACLE_MS = 30_000
let lab: Lab
let password: string

ownCluster(name, (own, ownPassword) => {
  lab = own
  password = ownPassword
})

const isPrimary = async (machine: string): Promise<boolean> =>
  (await sqlAsPostgres(lab, machine, 'select pg_is_in_recovery()').catch(() => 't')) === 'f'

test('a machine is promoted and loses power before it is published, and the old primary stays away', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  const row = await untilWritable(lab, password, 10_000)
  // From the moment at which PostgreSQL accepts its promotion the machine cannot reach Consul any more.
  const script = `nft add table inet deaf
    nft 'add chain inet deaf out { type filter hook output priority 0; }'
    until ! test -e /var/lib/postgresql/*/main/standby.signal; do :; done
    nft add rule inet deaf out tcp dport 8500 drop`
  const watch = ['timeout', '30', 'sh', '-c', script]
  const watching = standbys.map((machine) => lab.exec(machine, watch).catch(() => {}))
  await lab.poweroff(primary)
  const promoted = await waitFor('a standby to be promoted', 30_000, async () => {
    for (const machine of standbys) if (await isPrimary(machine)) return machine
    return null
  })
  await lab.poweroff(promoted)
  await Promise.all(watching)
  const other = standbys.find((machine) => machine !== promoted) ?? ''
  assert.equal((await statusFrom(lab, other)).primary, null, `${promoted} was published`)

  await lab.poweron(promoted)
  await untilWritable(lab, password, 60_000)
  assert.equal(
    await sqlThroughVirtualIp(lab, password, `select count(*) from written where value = ${row}`),
    '1',
  )
  await lab.poweron(primary)
  await untilHealthy(lab, other)
})

/** Sets a parameter of the server on these machines, or resets it. */
const setOn = (machines: readonly string[], parameter: string, value: string | null): Promise<unknown> =>
  Promise.all(
    machines.map(async (machine) => {
      const setting = value === null ? `reset ${parameter}` : `set ${parameter} = '${value}'`
      // A standby answers nothing to a session that is serializable by default.
      const psql = ['psql', '-XAtq', '-c', `alter system ${setting}`]
      await lab.exec(machine, [
        'runuser',
        '-u',
        'postgres',
        '--',
        'env',
        `PGOPTIONS=${SESSION_OPTIONS}`,
        ...psql,
      ])
      await lab.exec(machine, ['systemctl', 'reload', 'postgresql'])
    }),
  )

const WAITS = `select count(*) from pg_stat_activity where backend_type = 'startup' and wait_event_type = 'Lock'`

test('replay waits for readers on both standbys, for as long as they like', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  await sqlThroughVirtualIp(lab, password, 'create table held (value int)')
  await setOn(standbys, 'max_standby_streaming_delay', '-1')
  const reading = standbys.map((machine) =>
    waitFor('the table to be there', 10_000, () =>
      sqlAsPostgres(lab, machine, 'select count(*) from held').catch(() => null),
    ).then(() =>
      lab.exec(
        machine,
        [
          'runuser',
          '-u',
          'postgres',
          '--',
          'psql',
          '-d',
          'app',
          '-c',
          'select count(*), pg_sleep(100) from held',
        ],
        { reject: false, timeoutMs: 110_000 },
      ),
    ),
  )
  await waitFor('the readers to read', 20_000, async () => {
    for (const machine of standbys)
      if (
        (await sqlAsPostgres(
          lab,
          machine,
          `select count(*) from pg_stat_activity where wait_event = 'PgSleep'`,
        )) === '0'
      )
        return null
    return true
  })
  await sqlThroughVirtualIp(lab, password, 'alter table held add column more int')
  await waitFor('replay to wait for the readers', 20_000, async () => {
    for (const machine of standbys) if ((await sqlAsPostgres(lab, machine, WAITS)) === '0') return null
    return true
  })
  const row = await untilWritable(lab, password, 10_000)

  await lab.poweroff(primary)
  await untilWritable(lab, password, OBSTACLE_MS)
  assert.equal(
    await sqlThroughVirtualIp(lab, password, `select count(*) from written where value = ${row}`),
    '1',
  )
  // Also on the other standby: commits wait for it.
  for (const reader of reading) assert.equal((await reader).exitCode, 2, 'a reader was not ended')
  await lab.poweron(primary)
  await setOn(standbys, 'max_standby_streaming_delay', null)
  await untilHealthy(lab, 'n1')
})

test('the archive of the standbys does not answer, and their restore_command hangs', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  await setOn(standbys, 'restore_command', 'sleep 600')
  await lab.poweroff(primary)
  await untilWritable(lab, password, OBSTACLE_MS)
  for (const machine of standbys)
    await waitFor(
      `restore_command of ${machine} to be what it was`,
      20_000,
      async () => (await sqlAsPostgres(lab, machine, 'show restore_command')) === 'sleep 600' || null,
    )
  await setOn(standbys, 'restore_command', null)
  await lab.poweron(primary)
  await untilHealthy(lab, 'n1')
})

test('defaults of the server and of our own roles do not break our sessions', async () => {
  const { primary, standbys } = await primaryAndStandbys(lab, 'n1')
  const roles = ['repmgr', 'understudy_monitor']
  const roleDefaults = {
    default_transaction_read_only: 'on',
    statement_timeout: '1ms',
    search_path: 'nowhere',
  }
  for (const role of roles)
    for (const [parameter, value] of Object.entries(roleDefaults))
      await sqlAsPostgres(lab, primary, `alter role ${role} set ${parameter} = '${value}'`)
  await sqlAsPostgres(lab, primary, 'alter role postgres set default_transaction_read_only = on')
  await setOn(all, 'lock_timeout', '1ms')
  await setOn(all, 'default_transaction_isolation', 'serializable')

  await lab.poweroff(primary)
  await untilWritable(lab, password, OBSTACLE_MS)
  await lab.poweron(primary)
  await untilHealthy(lab, standbys[0] ?? '')
  await setOn(all, 'default_transaction_isolation', null)
  await setOn(all, 'lock_timeout', null)
})
