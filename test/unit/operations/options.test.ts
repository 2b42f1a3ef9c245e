import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { JoinOptions } from '../../../lib/consul/joining.ts'
import { parseJoinOptions } from '../../../lib/operations/options.ts'

const first = {
  as: 'first',
  virtualIp: '10.77.0.100/24',
  database: 'app',
  moreDatabases: [] as string[],
  user: 'app',
  policy: 'with-primary',
  durability: 'quorum',
} as const

const good: readonly (readonly [line: string, options: JoinOptions])[] = [
  ['--virtual-ip 10.77.0.100/24', first],
  ['--virtual-ip=10.77.0.100/24', first],
  ['--virtual-ip 10.77.0.100/24 --policy fixed', { ...first, policy: 'fixed' }],
  ['--virtual-ip 10.77.0.100/24 --durability quorum', first],
  ['--virtual-ip 10.77.0.100/24 --durability strict', { ...first, durability: 'strict' }],
  ['--virtual-ip 10.77.0.100/24 --durability async', { ...first, durability: 'async' }],
  [
    '--virtual-ip 10.77.0.100/24 --database manager --user rest',
    { ...first, database: 'manager', user: 'rest' },
  ],
  [
    '--virtual-ip 10.77.0.100/24 --database Shop-2.x --user 1.User-x',
    { ...first, database: 'Shop-2.x', user: '1.User-x' },
  ],
  [
    '--virtual-ip 10.77.0.100/24 --database manager --database reports --database app',
    { ...first, database: 'manager', moreDatabases: ['reports', 'app'] },
  ],
  ['--virtual-ip 10.77.0.100/24 --interface eth1', { ...first, interface: 'eth1' }],
  ['--virtual-ip 10.77.0.100/24 --interface eth1:0', { ...first, interface: 'eth1' }],
  ['--virtual-ip 10.77.0.100/24 --interface eth1.7', { ...first, interface: 'eth1.7' }],
  [
    '--virtual-ip 10.77.0.100/32 --network 10.78.0.0/24',
    { ...first, virtualIp: '10.77.0.100/32', network: '10.78.0.0/24' },
  ],
  [
    '--virtual-ip none --virtual-ip-command /usr/local/sbin/move',
    { ...first, virtualIp: null, virtualIpCommand: '/usr/local/sbin/move' },
  ],
  ['--virtual-ip none', { ...first, virtualIp: null }],
  ['--virtual-ip 10.77.0.100/24 --rabbitmq off', first],
  ['--virtual-ip 10.77.0.100/24 --rabbitmq local', { ...first, rabbitmq: 'local' }],
  ['--virtual-ip 10.77.0.100/24 --search clustered', { ...first, search: 'clustered' }],
  [
    '--virtual-ip 10.77.0.100/24 --search local --search-unit es.service --search-config /srv/es/',
    { ...first, search: 'local', searchUnit: 'es', searchConfig: '/srv/es' },
  ],
  ['--consul-join 10.77.0.11', { as: 'joiner', mergeFiles: false, consulJoin: ['10.77.0.11'] }],
  [
    '--consul-join 10.77.0.11 --interface eth1',
    { as: 'joiner', mergeFiles: false, consulJoin: ['10.77.0.11'], interface: 'eth1' },
  ],
  [
    '--consul-join 10.77.0.11 --consul-join 10.77.0.12',
    { as: 'joiner', mergeFiles: false, consulJoin: ['10.77.0.11', '10.77.0.12'] },
  ],
  [
    '--consul-join 10.77.0.11,10.77.0.12',
    { as: 'joiner', mergeFiles: false, consulJoin: ['10.77.0.11', '10.77.0.12'] },
  ],
  ['--virtual-ip 10.77.0.100/24 --copy-rate 50M', { ...first, copyRate: '50M' }],
  [
    '--consul-join 10.77.0.11 --copy-rate 32k',
    { as: 'joiner', mergeFiles: false, consulJoin: ['10.77.0.11'], copyRate: '32k' },
  ],
  ['--consul-join 10.77.0.11 --merge-files', { as: 'joiner', mergeFiles: true, consulJoin: ['10.77.0.11'] }],
  [
    '--merge-files --consul-join 10.77.0.11 --interface eth1',
    { as: 'joiner', mergeFiles: true, consulJoin: ['10.77.0.11'], interface: 'eth1' },
  ],
]

const bad: readonly (readonly [line: string, message: RegExp])[] = [
  ['', /^give --virtual-ip ADDRESS\/PREFIX to start a cluster, or --consul-join ADDRESS to join one/],
  ['--verbose', /Unknown option '--verbose'/],
  ['10.77.0.11', /Unexpected argument '10\.77\.0\.11'/],
  ['--virtual-ip 10.77.0.100/24 --rabbitmq on', /^--rabbitmq takes off or local or clustered, not on$/],
  ['--virtual-ip 10.77.0.100/24 --search on', /^--search takes off or local or clustered, not on$/],
  [
    '--virtual-ip 10.77.0.100/24 --search-unit es',
    /^--search-unit and --search-config are for --search local/,
  ],
  [
    '--virtual-ip 10.77.0.100/24 --search local --search-config es',
    /--search-config takes the absolute path/,
  ],
  ['--consul-join 10.77.0.11 --search local', /--search is a setting of the whole cluster/],
  ['--consul-join 10.77.0.11 --rabbitmq local', /--rabbitmq is a setting of the whole cluster/],
  ['--virtual-ip', /--virtual-ip/],
  ['--virtual-ip 10.77.0.100', /IPv4 address with its prefix/],
  ['--virtual-ip fd00::100/64', /takes an IPv4 address.*, not "fd00::100\/64"/],
  [
    '--virtual-ip none --virtual-ip-command move',
    /takes the absolute path of a program, without arguments, not "move"/,
  ],
  [
    '--virtual-ip 10.77.0.100/24 --policy fixed --virtual-ip-command /bin/true',
    /called when the primary changes; with --policy fixed/,
  ],
  [
    '--consul-join 10.77.0.11 --virtual-ip-command /bin/true',
    /--virtual-ip-command is a setting of the whole cluster/,
  ],
  ['--virtual-ip None', /, or none, not "None"/],
  [
    '--virtual-ip none --policy fixed',
    /--policy fixed places the virtual IP; with --virtual-ip none leave it out/,
  ],
  ['--virtual-ip 10.77.0.100/24 --network fd00::/64', /--network takes the IPv4 network.*, not "fd00::\/64"/],
  ['--virtual-ip 10.77.0.0/24', /address of the network itself/],
  ['--virtual-ip 10.77.0.100/24 --policy anywhere', /--policy takes with-primary or fixed, not anywhere/],
  [
    '--virtual-ip 10.77.0.100/24 --durability maybe',
    /--durability takes quorum or strict or async, not maybe/,
  ],
  ...['50', '0M', '31k', '1025M', '5G', '1.5M', '-1M', ' 5M'].map(
    (rate) =>
      [
        `--virtual-ip 10.77.0.100/24 --copy-rate=${rate.replace(' ', '_')}`,
        /--copy-rate takes kilobytes or megabytes a second/,
      ] as const,
  ),
  ...['-app', '.app', 'a"b', "a'b", 'a:b', 'a/b', 'ä', 'a,b', 'a*', 'x'.repeat(64)].map(
    (name) =>
      [
        `--virtual-ip 10.77.0.100/24 --database=${name}`,
        /--database takes a name of up to 63 letters/,
      ] as const,
  ),
  [
    '--virtual-ip 10.77.0.100/24 --database app --database My+',
    /--database takes a name of up to 63 letters/,
  ],
  ['--virtual-ip 10.77.0.100/24 --user +a', /--user takes a name/],
  ['--virtual-ip 10.77.0.100/24 --database repmgr', /--database does not take "repmgr"/],
  [
    '--virtual-ip 10.77.0.100/24 --user understudy_pooler',
    /because the name is reserved; choose another name/,
  ],
  ['--virtual-ip 10.77.0.100/24 --database pgbouncer', /because the name is reserved; choose another name/],
  ['--virtual-ip 10.77.0.100/24 --user pg_monitor', /--user does not take "pg_monitor"/],
  ['--consul-join n1', /IPv4 addresses of members, not "n1"/],
  ['--consul-join fd00::11', /IPv4 addresses of members, not "fd00::11"/],
  ['--consul-join 10.77.0.11 --network 10.77.0.0/24', /--network is a setting of the whole cluster/],
  ['--consul-join 10.77.0.11,', /not ""/],
  ['--consul-join 10.77.0.11 --virtual-ip 10.77.0.100/24', /--virtual-ip is a setting of the whole cluster/],
  ['--consul-join 10.77.0.11 --durability strict', /--durability is a setting of the whole cluster/],
  ['--virtual-ip 10.77.0.100/24 --merge-files', /--merge-files is for a machine that joins/],
  ['--merge-files', /--merge-files is for a machine that joins/],
  ['--consul-join 10.77.0.11 --merge-files=yes', /'--merge-files' does not take an argument/],
  ['--consul-join 10.77.0.11 --merge-files /srv/files', /Unexpected argument '\/srv\/files'/],
  ['--consul-join 10.77.0.11 --policy fixed', /--policy is a setting of the whole cluster/],
  ['--consul-join 10.77.0.11 --password-file /x', /--password-file is a setting of the whole cluster/],
  ['--virtual-ip 10.77.0.100/24 --user none', /--user does not take "none"/],
  ['--virtual-ip 10.77.0.100/24 --password-file /none', /--password-file \/none cannot be read: ENOENT/],
  ['--virtual-ip 10.77.0.100/24 --password-file /dev/null', /has no password in its first line/],
]

const parse = (line: string): JoinOptions => parseJoinOptions(line === '' ? [] : line.split(' '))

describe('join: what a person asks for', () => {
  for (const [line, options] of good) test(line, () => assert.deepEqual(parse(line), options))
  for (const [line, message] of bad) {
    test(`refused: ${line || 'nothing'}`, () =>
      assert.throws(() => parse(line), { name: 'UnderstudyError', exitCode: 64, message }))
  }

  test('the password of a role that exists is the first line of a file', (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'understudy-password-'))
    t.after(() => rmSync(directory, { recursive: true }))
    writeFileSync(join(directory, 'password'), 'p: "w \\\nnot this\n')
    const line = `--virtual-ip 10.77.0.100/24 --password-file ${directory}/password`
    assert.deepEqual(parse(line), { ...first, password: 'p: "w \\' })
  })
})
