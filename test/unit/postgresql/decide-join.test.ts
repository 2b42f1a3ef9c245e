import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  checkClock,
  checkMain,
  checkOpening,
  checkRoles,
  chooseCluster,
  choosePort,
  type InstalledCluster,
  type MainFacts,
  type OpeningFacts,
  parseClusters,
  type RoleFacts,
} from '../../../lib/postgresql/decide-join.ts'
import type { ConfiguredParameter } from '../../../lib/postgresql/decide-parameters.ts'
import { scramSecret } from '../../../lib/postgresql/scram.ts'

const BUILT = Date.UTC(2026, 0, 1)
const refused = (exitCode: number, message: RegExp) => ({ name: 'UnderstudyError', exitCode, message })

const cluster = (change: Partial<InstalledCluster> = {}): InstalledCluster => ({
  ...{ version: 17, name: 'main', port: 5432, online: true, owner: 'postgres' },
  data: `/var/lib/postgresql/${change.version ?? 17}/main`,
  ...change,
})
const mains = (...versions: number[]): InstalledCluster[] => versions.map((version) => cluster({ version }))

test('the clusters of a machine, as pg_lsclusters lists them', () =>
  assert.deepEqual(
    parseClusters(
      '15 main  5433 online,recovery postgres  /var/lib/postgresql/15/main  /var/log/postgresql/15.log\n' +
        '17 other 5432 down            alice     /srv/pgdata                  /var/log/postgresql/17.log\n',
    ),
    [
      cluster({ version: 15, port: 5433 }),
      cluster({ name: 'other', online: false, owner: 'alice', data: '/srv/pgdata' }),
    ],
  ))

describe('join: the version of PostgreSQL', () => {
  const good: readonly (readonly [here: number[], wanted: number | null, chosen: number])[] = [
    [[17], null, 17],
    [[17, 15], null, 17],
    [[17], 17, 17],
    [[15, 17], 15, 15],
  ]
  for (const [here, wanted, chosen] of good)
    test(`of ${here} for ${wanted ?? 'a new cluster'}: ${chosen}`, () =>
      assert.equal(chooseCluster(mains(...here), wanted).version, chosen))

  const bad: readonly (readonly [here: InstalledCluster[], wanted: number | null, message: RegExp])[] = [
    [[], null, /no PostgreSQL cluster named main/],
    [[cluster({ name: 'other' })], 17, /no PostgreSQL cluster named main/],
    [mains(16), 17, /runs PostgreSQL 17, this machine has 16; install postgresql-17/],
    [mains(16, 15), 17, /this machine has 15, 16;/],
  ]
  for (const [here, wanted, message] of bad)
    test(`refused: ${wanted ?? 'a new cluster'} with ${here.length}`, () =>
      assert.throws(() => chooseCluster(here, wanted), refused(78, message)))
})

describe('join: the port of main', () => {
  const main = cluster({ port: 5433 })
  const other = (port: number): InstalledCluster => cluster({ name: 'other', port })
  test('is kept', () => assert.equal(choosePort(main, [main], null), 5433))
  test('is kept beside another cluster', () =>
    assert.equal(choosePort(main, [main, other(5434)], null), 5433))
  test("becomes that of the cluster's members", () =>
    assert.equal(choosePort(main, [main, other(5434)], 5432), 5432))
  test('refused: another cluster has the port that clients expect', () =>
    assert.throws(
      () => choosePort(main, [main, other(5432)], null),
      refused(
        78,
        /^port 5432 belongs to the PostgreSQL cluster 17\/other of this machine, and main has port 5433/,
      ),
    ))
  test("refused: another cluster has the port of the cluster's members", () =>
    assert.throws(
      () => choosePort(main, [main, other(5440)], 5440),
      refused(78, /port 5440 belongs to.*17\/other/),
    ))
})

describe('join: the place of main', () => {
  const place = '/var/lib/postgresql/17/main'
  const base: MainFacts = {
    ...{ main: cluster(), place, kind: 'directory', mountsBelow: [], links: [] },
    ...{ start: 'auto', unitState: 'active' },
  }
  test('as Debian makes it', () => checkMain(base))
  test('stopped', () => checkMain({ ...base, main: cluster({ online: false }), unitState: 'inactive' }))
  test('a swap that was broken off', () =>
    checkMain({ ...base, kind: 'missing', main: cluster({ owner: '<unknown>', online: false }) }))
  const bad: readonly (readonly [caption: string, change: Partial<MainFacts>, message: RegExp])[] = [
    ['moved', { main: cluster({ data: '/srv/pgdata' }) }, /is in \/srv\/pgdata, not in \/var\/lib/],
    ['a link', { kind: 'link' }, /main is a link, which a copy/],
    ['a mount point', { kind: 'mount point' }, /main is a mount point, which a copy/],
    [
      'a mount point in it',
      { mountsBelow: [`${place}/pg_wal`] },
      /pg_wal below the data of .* is a mount point/,
    ],
    [
      'with its WAL on another disk, by a link',
      { links: [`${place}/pg_wal`] },
      /main\/pg_wal in the data of PostgreSQL is a link, which a copy .*put the directory itself there/,
    ],
    ['of somebody else', { main: cluster({ owner: 'alice' }) }, /belongs to the system user alice/],
    ['started by hand', { start: 'manual' }, /start\.conf says "manual"; write "auto"/],
    [
      'started outside systemd',
      { unitState: 'inactive' },
      /not started by systemd: postgresql@17-main\.service is inactive/,
    ],
  ]
  for (const [caption, change, message] of bad)
    test(`refused: ${caption}`, () =>
      assert.throws(() => checkMain({ ...base, ...change }), refused(78, message)))
})

describe('join: what main says of its settings', () => {
  const line = (change: Partial<ConfiguredParameter>): ConfiguredParameter => ({
    ...{
      name: 'work_mem',
      value: '8MB',
      unit: 'kB',
      file: '/etc/postgresql/17/main/postgresql.conf',
      line: 9,
    },
    ...{ error: null, ...change },
  })
  const base: OpeningFacts = {
    dataDirectory: '/var/lib/postgresql/17/main',
    hbaFile: '/etc/postgresql/17/main/pg_hba.conf',
    identFile: '/etc/postgresql/17/main/pg_ident.conf',
    synchronous: '',
    standby: false,
    lines: [line({}), line({ name: 'shared_buffers', error: 'setting could not be applied' })],
    commandLine: ['config_file', 'work_mem'],
  }
  const check = (change: Partial<OpeningFacts>): void =>
    checkOpening({ ...base, ...change }, 17, ['max_connections'])
  test('nothing is in the way', () => check({}))
  const bad: readonly (readonly [caption: string, change: Partial<OpeningFacts>, message: RegExp])[] = [
    [
      'another data directory',
      { dataDirectory: '/srv/x' },
      /data_directory of PostgreSQL 17\/main is \/srv\/x/,
    ],
    ['another pg_hba.conf', { hbaFile: '/srv/pg_hba.conf' }, /hba_file .* let it be \/etc/],
    [
      'a line that is wrong',
      { lines: [line({ error: 'syntax error' })] },
      /postgresql\.conf line 9 would keep/,
    ],
    [
      'the command line',
      { commandLine: ['max_connections'] },
      /max_connections is set on PostgreSQL's command line/,
    ],
    ['a standby', { standby: true }, /PostgreSQL 17\/main is a standby of a server that is no member; /],
    ['standbys of somebody else', { synchronous: '*' }, /synchronous_standby_names is "\*"/],
  ]
  for (const [caption, change, message] of bad)
    test(`refused: ${caption}`, () => assert.throws(() => check(change), refused(78, message)))
})

describe('join: roles that exist', () => {
  const base: RoleFacts = {
    user: 'app',
    password: null,
    roles: [],
    repmgrDatabase: false,
    closedDatabases: [],
  }
  const MD5 = `md5${createHash('md5').update('knownapp').digest('hex')}`
  const role = (name: string, change: Partial<RoleFacts['roles'][number]>): RoleFacts['roles'][number] => ({
    ...{ name, secret: 'x', login: true, superuser: false, replication: false, expired: false },
    ...{ mayConnect: true, ...change },
  })
  const app = (
    secret: string | null,
    change: Partial<RoleFacts['roles'][number]> = {},
  ): RoleFacts['roles'] => [role('app', { secret, ...change })]
  const ours: RoleFacts['roles'] = [
    role('repmgr', { superuser: true, replication: true }),
    role('understudy_monitor', {}),
  ]
  const good: readonly (readonly [caption: string, change: Partial<RoleFacts>])[] = [
    ['none', {}],
    ['without a password', { roles: app(null) }],
    ['with the password that is given', { roles: app(scramSecret('app', 'known')), password: 'known' }],
    ['with an MD5 password that is given', { roles: app(MD5), password: 'known' }],
    ['of an earlier cluster', { roles: ours, repmgrDatabase: true }],
  ]
  for (const [caption, change] of good) test(caption, () => checkRoles({ ...base, ...change }))
  const bad: readonly (readonly [caption: string, change: Partial<RoleFacts>, message: RegExp])[] = [
    ['a password', { roles: app(MD5) }, /role app exists with a password .* --password-file FILE/],
    ['another password', { roles: app(MD5), password: 'other' }, /its password is not the one given/],
    ['no login', { roles: app(null, { login: false }) }, /role app exists and may not log in/],
    [
      'no connections',
      { roles: app(null, { mayConnect: false }) },
      /role app exists and may have no connections/,
    ],
    [
      'a superuser',
      { roles: app(null, { superuser: true }) },
      /role app exists and is a superuser, .* PgBouncer; .* --user/,
    ],
    ['replication', { roles: app(null, { replication: true }) }, /role app exists and has REPLICATION, /],
    ['an expired password', { roles: app(null, { expired: true }) }, /role app exists .*VALID UNTIL/],
    [
      'a superuser, whatever its password',
      { roles: app(scramSecret('app', 'known'), { superuser: true }), password: 'known' },
      /is a superuser/,
    ],
    [
      'a database without connections',
      { closedDatabases: ['shop'] },
      /database shop exists and takes no connections from app; .* --database/,
    ],
    ['repmgr as a role', { roles: ours.slice(0, 1) }, /there is a role repmgr, and/],
    ['repmgr as a database', { repmgrDatabase: true }, /there is a database repmgr, and/],
  ]
  for (const [caption, change, message] of bad)
    test(`refused: ${caption}`, () =>
      assert.throws(() => checkRoles({ ...base, ...change }), refused(78, message)))
})

describe('join: the clock', () => {
  test('five seconds off are borne', () => {
    checkClock(BUILT + 5000, BUILT)
    checkClock(BUILT, BUILT + 5000)
  })
  test('refused: one millisecond more', () => {
    assert.throws(() => checkClock(BUILT + 5001, BUILT), refused(78, /5 s ahead/))
    assert.throws(() => checkClock(BUILT, BUILT + 5001), refused(78, /5 s behind/))
  })
  test('refused: ahead', () =>
    assert.throws(() => checkClock(BUILT + 60_000, BUILT), refused(78, /60 s ahead of the primary's/)))
  test('refused: behind', () =>
    assert.throws(() => checkClock(BUILT, BUILT + 60_000), refused(78, /60 s behind the primary's/)))
})
