/** Joins of machines whose PostgreSQL has a history: other settings, rules, roles, ports and places. Promise S10. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN } from '../../lib/core/unknown.ts'
import { waitFor } from '../../lib/core/wait.ts'
import {
  addressOf,
  mustJoin,
  sqlThroughVirtualIp,
  statusFrom,
  untilHealthy,
  VIRTUAL_IP,
} from './lib/cluster.ts'
import type { Lab } from './lib/lab.ts'
import { ownMachines } from './lib/own-cluster.ts'
import { mustRefuse } from './lib/refusal.ts'

const name = 'existing'
const CONFIG = '/etc/postgresql/17/main'
const DATA = '/var/lib/postgresql/17/main'
const first = ['understudy', 'join', '--virtual-ip', `${VIRTUAL_IP}/24`]
/** A standby restarts by itself at the next periodic check, every 15 s. */
const REPAIR_MS = 90_000
const FAILOVER_MS = 90_000

let lab: Lab

ownMachines(name, (own) => {
  lab = own
})

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()

const sql = async (machine: string, text: string, port = 5432): Promise<string> =>
  (
    await lab.exec(machine, ['runuser', '-u', 'postgres', '--', 'psql', '-XAtqp', String(port), '-c', text], {
      // The operator's default is serializable, which a standby refuses.
      env: { PGOPTIONS: '-c default_transaction_isolation=read\\ committed' },
    })
  ).stdout.trim()

/** Does something before a join that must be refused, and puts it right again. */
async function refusedWith(
  machine: string,
  argv: readonly string[],
  [make, undo]: readonly [make: string, undo: string],
  says: RegExp,
): Promise<void> {
  await sh(machine, make)
  try {
    await mustRefuse(lab, machine, argv, 78, says)
  } finally {
    await sh(machine, undo)
  }
}

const RESTART = 'systemctl restart postgresql@17-main'
const stopped = (script: string): string =>
  `systemctl stop postgresql@17-main; ${script}; systemctl start postgresql@17-main`

test('the first machine: what stands in the way of a member is refused before anything is changed', async () => {
  const cases: readonly (readonly [change: readonly [string, string], says: RegExp])[] = [
    [
      [
        stopped(
          `mv ${DATA} /srv/pgdata; sed -i "s|^data_directory.*|data_directory = '/srv/pgdata'|" ${CONFIG}/postgresql.conf`,
        ),
        stopped(
          `mv /srv/pgdata ${DATA}; sed -i "s|^data_directory.*|data_directory = '${DATA}'|" ${CONFIG}/postgresql.conf`,
        ),
      ],
      /is in \/srv\/pgdata, not in \/var\/lib\/postgresql\/17\/main/,
    ],
    [
      [
        stopped(`mv ${DATA} /srv/pgdata; ln -s /srv/pgdata ${DATA}`),
        stopped(`rm ${DATA}; mv /srv/pgdata ${DATA}`),
      ],
      /is a link, which a copy/,
    ],
    [
      [
        stopped(`mv ${DATA} ${DATA}.real; mkdir ${DATA}; mount --bind ${DATA}.real ${DATA}`),
        stopped(`umount ${DATA}; rmdir ${DATA}; mv ${DATA}.real ${DATA}`),
      ],
      /is a mount point, which a copy/,
    ],
    [
      [`sed -i s/auto/manual/ ${CONFIG}/start.conf`, `sed -i s/manual/auto/ ${CONFIG}/start.conf`],
      /start\.conf says "manual"/,
    ],
    [
      [
        `systemctl stop postgresql@17-main
         runuser -u postgres -- /usr/lib/postgresql/17/bin/pg_ctl -w -D ${DATA} -o "-c config_file=${CONFIG}/postgresql.conf" -l /dev/null start >/dev/null`,
        `runuser -u postgres -- /usr/lib/postgresql/17/bin/pg_ctl -w -D ${DATA} stop >/dev/null; systemctl start postgresql@17-main`,
      ],
      /not started by systemd/,
    ],
    [
      [`echo 'nonsense here' >${CONFIG}/conf.d/x.conf`, `rm ${CONFIG}/conf.d/x.conf`],
      /conf\.d\/x\.conf line 1 would keep PostgreSQL from starting/,
    ],
    [
      [
        `cp -a ${CONFIG}/pg_hba.conf /root/; printf 'local all all scram-sha-256\n' >${CONFIG}/pg_hba.conf; systemctl reload postgresql@17-main`,
        `cp -a /root/pg_hba.conf ${CONFIG}/; systemctl reload postgresql@17-main`,
      ],
      /begin .*pg_hba\.conf with the line "local all postgres peer"/,
    ],
    [
      [
        `${stopped(`sed -i "s/^port = .*/port = 5433/" ${CONFIG}/postgresql.conf; pg_createcluster 17 other -p 5432 --start >/dev/null`)}`,
        `pg_dropcluster --stop 17 other; ${stopped(`sed -i "s/^port = .*/port = 5432/" ${CONFIG}/postgresql.conf`)}`,
      ],
      /port 5432 belongs to the PostgreSQL cluster 17\/other/,
    ],
    [
      [
        `runuser -u postgres -- psql -qc "create role repmgr superuser login password 'x'"`,
        'runuser -u postgres -- dropuser repmgr',
      ],
      /there is a role repmgr/,
    ],
    [
      [stopped(`touch ${DATA}/standby.signal`), stopped(`rm ${DATA}/standby.signal`)],
      /17\/main is a standby of a server that is no member/,
    ],
    [
      [
        `runuser -u postgres -- psql -qc "create role app superuser login password 'x'"`,
        'runuser -u postgres -- dropuser app',
      ],
      /role app exists and is a superuser/,
    ],
  ]
  for (const [change, says] of cases) await refusedWith('n1', first, change, says)
})

test('the first machine keeps its settings, slots, rules, roles and passwords', async () => {
  await sql('n1', 'select 1')
  await sh(
    'n1',
    `cd ${CONFIG}
     sed -i "s/^#*wal_level = .*/wal_level = logical/; s/^max_connections = .*/max_connections = 500/" postgresql.conf
     echo "max_worker_processes = 32" >>postgresql.conf
     printf "max_prepared_transactions = 50\nmax_wal_senders = 5\n" >conf.d/zz.conf
     printf 'host all all 10.77.0.0/24 md5\n' >>pg_hba.conf
     mv postgresql.conf /srv/postgresql.conf; ln -s /srv/postgresql.conf .; chmod 600 /srv/postgresql.conf
     runuser -u postgres -- psql -qc "alter system set shared_preload_libraries = 'pg_stat_statements', 'auth_delay'" -c "alter system set default_transaction_isolation = 'serializable'" -c "alter system set password_encryption = 'md5'"
     ${RESTART}`,
  )
  await sql('n1', `create role legacy login password 'x'`)
  await sql('n1', `create role "1.User-x" login password 'known'`)
  await sql('n1', `select pg_create_logical_replication_slot('cdc', 'pgoutput')`)
  await sql('n1', 'create extension pg_stat_statements')
  const argv = [...first, '--user', '1.User-x', '--database', 'Order-2.x', '--database', 'order']
  await mustRefuse(
    lab,
    'n1',
    argv,
    78,
    /role 1\.User-x exists with a password that its clients know; give it with --password-file/,
  )
  await sh('n1', 'umask 077; echo wrong >/root/password')
  await mustRefuse(
    lab,
    'n1',
    [...argv, '--password-file', '/root/password'],
    78,
    /its password is not the one given/,
  )
  await sh('n1', 'echo known >/root/password')
  await mustJoin(lab, 'n1', undefined, [...argv.slice(4), '--password-file', '/root/password'])

  const now = async (setting: string): Promise<string> => sql('n1', `show ${setting}`)
  const file = `$(readlink ${CONFIG}/postgresql.conf) $(stat -c '%a %U' /srv/postgresql.conf)`
  assert.equal(await sh('n1', `echo "${file}"`), '/srv/postgresql.conf 600 postgres')
  assert.equal(await now('wal_level'), 'logical')
  assert.equal(await now('shared_preload_libraries'), 'pg_stat_statements, auth_delay, repmgr')
  assert.equal(await now('max_connections'), '500')
  assert.equal(await now('max_worker_processes'), '32')
  assert.equal(await now('max_prepared_transactions'), '50')
  assert.equal(await now('max_wal_senders'), '20', 'a file that is read after ours must not win')
  assert.equal(await sql('n1', 'select slot_name from pg_replication_slots'), 'cdc')
  assert.match(await sql('n1', 'select count(*) from pg_stat_statements'), /^[1-9]/)
  const login = async (user: string, password: string, database: string, port: number): Promise<string> =>
    (
      await lab.clientExec(
        [
          'psql',
          '-XAtqw',
          '-h',
          port === 6432 ? VIRTUAL_IP : addressOf(lab, 'n1'),
          '-p',
          String(port),
          '-U',
          user,
          '-d',
          database,
          '-c',
          'select current_user',
        ],
        { env: { PGPASSWORD: password, PGCONNECT_TIMEOUT: '10' }, timeoutMs: 20_000 },
      )
    ).stdout.trim()
  assert.equal(await login('legacy', 'x', 'postgres', 5432), 'legacy')
  for (const database of ['Order-2.x', 'order'])
    for (const port of [5432, 6432])
      assert.equal(await login('1.User-x', 'known', database, port), '1.User-x', `${database} at ${port}`)
  // What is made or changed in SQL becomes an MD5 secret here.
  await sql('n1', `create role r2 login password 'new'`)
  await sql('n1', `alter role "1.User-x" password 'other'`)
  for (const port of [5432, 6432]) {
    assert.equal(await login('r2', 'new', 'order', port), 'r2')
    assert.equal(await login('1.User-x', 'other', 'order', port), '1.User-x')
  }
  await sql('n1', `alter role "1.User-x" password 'known'`)
})

test('joining again does not restart the primary, and sets right what was changed', async () => {
  const pid = () => sh('n1', `head -1 ${DATA}/postmaster.pid`)
  const before = await pid()
  await mustJoin(lab, 'n1', undefined, ['--user', '1.User-x', '--database', 'Order-2.x'])
  assert.equal(await pid(), before)
  await sql('n1', `alter system set shared_preload_libraries = 'pg_stat_statements'`)
  await sh('n1', RESTART)
  await waitFor('the status to name it', REPAIR_MS, async () => {
    const { problems } = await statusFrom(lab, 'n1')
    return (
      problems.some((text) =>
        /shared_preload_libraries is pg_stat_statements, but a member needs repmgr/.test(text),
      ) || null
    )
  })
  await mustJoin(lab, 'n1', undefined, ['--user', '1.User-x', '--database', 'Order-2.x'])
  assert.equal(await sql('n1', 'show shared_preload_libraries'), 'pg_stat_statements, repmgr')
  await untilHealthy(lab, 'n1')
})

test('a joiner: data of a clone of the same template, another cluster on the port, a missing library are refused', async () => {
  const joiner = ['understudy', 'join', '--consul-join', addressOf(lab, 'n1')]
  const systemId = `/usr/lib/postgresql/17/bin/pg_controldata ${DATA} | sed -n 's/^Database system identifier: *//p'`
  const id = await sh('n1', systemId)
  // As if n2 came from the same template: the number stands at the beginning of the file, whose checksum pg_resetwal renews.
  await sh(
    'n2',
    stopped(
      `perl -e 'print pack "Q<", shift' ${id} | dd of=${DATA}/global/pg_control bs=8 conv=notrunc status=none
       runuser -u postgres -- /usr/lib/postgresql/17/bin/pg_resetwal --force ${DATA} >/dev/null`,
    ),
  )
  assert.equal(await sh('n2', systemId), id)
  await sql('n2', 'create table precious as select 1 as id')
  await mustRefuse(lab, 'n2', joiner, 78, /holds data, which joining would replace/)
  assert.equal(await sql('n2', 'select id from precious'), '1')
  await refusedWith(
    'n2',
    joiner,
    [
      stopped(
        `sed -i "s/^port = .*/port = 5433/" ${CONFIG}/postgresql.conf; pg_createcluster 17 other -p 5432 --start >/dev/null`,
      ),
      `pg_dropcluster --stop 17 other; ${stopped(`sed -i "s/^port = .*/port = 5432/" ${CONFIG}/postgresql.conf`)}`,
    ],
    /port 5432 belongs to the PostgreSQL cluster 17\/other/,
  )
  assert.equal(await sql('n2', 'select id from precious'), '1')
  await sql('n2', 'drop table precious')
  const library = '/usr/lib/postgresql/17/lib/pg_stat_statements.so'
  await refusedWith(
    'n2',
    joiner,
    [`mv ${library} ${library}.away`, `mv ${library}.away ${library}`],
    /the primary loads pg_stat_statements .*, which this machine lacks/,
  )
})

test('joiners get what a standby must have, also when it grows later', async () => {
  // The operator's own standby of n1 joins, too: under its name and from its slot nobody would count it.
  await sql('n1', `create role repl login replication password 'r'`)
  await sh(
    'n1',
    `echo 'host replication repl 10.77.0.0/24 md5' >>${CONFIG}/pg_hba.conf; systemctl reload postgresql@17-main`,
  )
  await sh(
    'n3',
    `printf 'max_connections = 500\nmax_worker_processes = 32\nmax_prepared_transactions = 50\nmax_wal_senders = 20\n' >${CONFIG}/conf.d/zz.conf
     systemctl stop postgresql@17-main; rm -rf ${DATA}
     runuser -u postgres -- pg_basebackup -D ${DATA} -R -C -S theirs -c fast -d 'host=${addressOf(lab, 'n1')} user=repl password=r'
     runuser -u postgres -- touch ${DATA}/made-by-hand
     systemctl start postgresql@17-main`,
  )
  await Promise.all(['n2', 'n3'].map((machine) => mustJoin(lab, machine, 'n1')))
  assert.match(
    await sql(
      'n1',
      `select string_agg(concat_ws(' ', application_name, usename, slot_name), ', ' order by application_name)
       from pg_stat_replication join pg_replication_slots on active_pid = pid`,
    ),
    /^n2 repmgr repmgr_slot_\d, n3 repmgr repmgr_slot_\d$/,
  )
  assert.equal(await sh('n3', `ls ${DATA}/made-by-hand`), `${DATA}/made-by-hand`, 'it was copied again')
  await untilHealthy(lab, 'n1')
  const now = (machine: string, setting: string): Promise<string> => sql(machine, `show ${setting}`)
  assert.equal(await now('n2', 'wal_level'), 'logical')
  assert.equal(await now('n2', 'shared_preload_libraries'), 'pg_stat_statements, repmgr')
  assert.equal(await now('n2', 'max_connections'), '500')
  assert.equal(await now('n2', 'max_worker_processes'), '32')
  await sql('n1', 'alter system set max_worker_processes = 40')
  await sh('n1', RESTART)
  for (const machine of ['n2', 'n3'])
    await waitFor(`${machine} to go on`, REPAIR_MS, async () =>
      (await now(machine, 'max_worker_processes')) === '40' &&
      (await sql(machine, 'select pg_is_wal_replay_paused()')) === 'f'
        ? true
        : null,
    )
  await untilHealthy(lab, 'n1')
})

test('an upgrade of the package on a joiner keeps what it has from the primary', async () => {
  const config = (): Promise<string> => sh('n2', `cat ${CONFIG}/conf.d/understudy.conf`)
  const before = await config()
  await sh('n2', 'rm /var/lib/understudy/configured; systemctl start understudy-upgrade')
  await waitFor('n2 to be configured anew', REPAIR_MS, async () =>
    (await sh('n2', 'test ! -e /var/lib/understudy/configured || echo yes')) === 'yes' ? true : null,
  )
  assert.equal(await config(), before, 'an upgrade of the package takes back what the primary has')
})

test('the primary dies right after its settings have grown: somebody leads', async () => {
  await sql('n1', 'alter system set max_worker_processes = 48')
  await sh('n1', RESTART)
  await waitFor('replay to be paused', REPAIR_MS, async () =>
    (
      await Promise.all(['n2', 'n3'].map((machine) => sql(machine, 'select pg_is_wal_replay_paused()')))
    ).includes('t')
      ? true
      : null,
  )
  await lab.poweroff('n1')
  const since = Date.now()
  await waitFor('a write through the virtual IP', FAILOVER_MS, () =>
    sqlThroughVirtualIp(lab, 'known', 'select pg_is_in_recovery()', {
      app: { database: 'Order-2.x', user: '1.User-x' },
    }).then((answer) => (answer === 'f' ? true : null)),
  )
  console.log(`led again after ${Date.now() - since} ms`)
  await lab.poweron('n1')
  const { primary } = await untilHealthy(lab, 'n2')
  assert.ok(primary !== UNKNOWN && primary !== null && primary !== 'n1')
})
