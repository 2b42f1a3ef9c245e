import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { targetOf } from '../../../lib/pooler/status.ts'
import type { ClusterReport, Machine } from '../../../lib/status/facts.ts'
import { exitCodeOf } from '../../../lib/status/judge.ts'
import { first, healthy, judge, passing, silent, standby } from './healthy.ts'

/** What is wrong, what differs from a healthy cluster, and all that must be said about it. */
type Case = readonly [caption: string, change: Partial<ClusterReport>, problems: readonly string[]]

const withSecond = (change: Partial<Machine>): Partial<ClusterReport> => ({
  machines: [first(), standby(2, change), standby(3)],
})
const withFirst = (change: Partial<Machine>): Partial<ClusterReport> => ({
  machines: [first(change), standby(2), standby(3)],
})
/** What n2 has of the folders, where it is not connected. */
const away = (files = 0): Machine['files'] => ({
  connected: false,
  folders: [{ label: 'resources', state: 'disconnected', files, bytes: 0 }],
})
/** n2 is connected, and has this of a folder. */
const copy = (
  state: 'behind' | 'not-shared' | 'failing' | 'stopped',
  files: number,
  label = 'resources',
) => ({
  label,
  state,
  files,
  bytes: files * 512,
})
const streaming = {
  role: 'standby',
  timeline: 2,
  streaming: true,
  upstream: '10.77.0.11',
  lagBytes: 0,
} as const

const cases: readonly Case[] = [
  ['Nothing is wrong', {}, []],
  ['Lag alone is no deviation', withSecond({ postgresql: { ...streaming, lagBytes: 1e9 } }), []],
  [
    'Fixed placement: the holder need not be the primary',
    {
      policy: 'fixed',
      machines: [first({ virtualIp: 'backup' }), standby(2, { virtualIp: 'holder' }), standby(3)],
    },
    [],
  ],

  [
    'A machine is away: one sentence',
    { machines: [first(), standby(2), silent(3)] },
    ['n3 does not answer: neither its Consul nor PostgreSQL nor PgBouncer'],
  ],
  [
    'The primary is away and nobody was elected yet',
    {
      lock: { held: false, node: 'n1', since: '2026-03-01T10:00:00.000Z', why: '', epoch: 3 },
      primary: null,
      machines: [silent(1), standby(2, { postgresql: { ...streaming, streaming: false } }), standby(3)],
    },
    [
      'nobody holds the lock of the primary (n1 is published)',
      'no machine is known to hold 10.77.0.100',
      'n1 does not answer: neither its Consul nor PostgreSQL nor PgBouncer',
      'PostgreSQL on n2 does not stream from the primary',
    ],
  ],
  [
    'A server that does not vote',
    withSecond({ voter: false }),
    ["Consul's server on n2 has no vote (yet): it does not count for a majority"],
  ],
  [
    'A standby does not replay, as the primary has larger settings',
    withSecond({
      postgresql: { ...streaming, paused: [{ name: 'max_worker_processes', value: 8, needed: 32 }] },
    }),
    [
      'PostgreSQL on n2 does not replay WAL (max_worker_processes is 8 here and 32 on the primary); a promotion would have to resume replay first',
    ],
  ],
  [
    'A standby whose replay the operator has paused',
    withSecond({ postgresql: { ...streaming, paused: [] } }),
    [
      'PostgreSQL on n2 does not replay WAL (replay is paused); a promotion would have to resume replay first',
    ],
  ],
  ['Only gossip is cut', withSecond({ consul: 'failed', checks: UNKNOWN }), ['Consul cannot reach n2']],
  [
    'Consul has lost its majority',
    {
      consul: { answers: true, leader: null },
      machines: [
        first({ consul: 'alive', checks: UNKNOWN }),
        standby(2, { virtualIp: UNKNOWN, checks: UNKNOWN }),
      ],
    },
    ['Consul has no leader (no majority of the servers): failover is suspended'],
  ],
  [
    'The local Consul is silent',
    {
      consul: { answers: false, leader: UNKNOWN },
      policy: UNKNOWN,
      durability: UNKNOWN,
      election: UNKNOWN,
      lock: UNKNOWN,
      published: UNKNOWN,
      primary: UNKNOWN,
      machines: [first({ consul: UNKNOWN, voter: UNKNOWN, virtualIp: 'backup', checks: UNKNOWN })],
      unknown: [{ machine: null, what: 'lock', why: 'Consul does not answer on n1' }],
    },
    ['Consul on n1 does not answer: only n1 itself is shown'],
  ],
  [
    'Consul does not say who leads',
    { consul: { answers: true, leader: UNKNOWN } },
    ['Consul on n1 does not say whether it has a leader'],
  ],

  [
    'There was never a primary',
    { published: null, lock: null, primary: null, machines: [] },
    ['no primary has been published yet', 'no machine holds 10.77.0.100'],
  ],
  [
    'The lock cannot be read',
    { lock: UNKNOWN, primary: UNKNOWN },
    ['Consul does not say who holds the lock of the primary'],
  ],
  [
    'The primary has left',
    { published: { node: 'n9', address: '10.77.0.19', port: 5432, timeline: 2, epoch: 3 }, primary: null },
    [
      'n9 is published as the primary but is not a member',
      'PostgreSQL on n1 runs as a primary without the lock',
    ],
  ],
  [
    'Another machine has taken the lock and not published yet',
    {
      lock: { held: true, node: 'n2', since: '2026-03-01T12:00:00.000Z', why: '', epoch: 4 },
      primary: null,
    },
    [
      'n2 holds the lock, but n1 is published as the primary',
      'PostgreSQL on n1 runs as a primary without the lock',
    ],
  ],
  [
    'The published epoch is old',
    {
      lock: { held: true, node: 'n1', since: '2026-03-01T12:00:00.000Z', why: '', epoch: 4 },
      primary: null,
    },
    [
      'n1 holds the lock under epoch 4, but was published under epoch 3',
      'PostgreSQL on n1 runs as a primary without the lock',
    ],
  ],

  [
    'A new primary has yet to learn whom to name',
    { election: { node: 'n1', voters: [], need: 1 } },
    ['no standby can replace n1: none is known to have every acknowledged commit'],
  ],
  [
    'No primary has written who may take over',
    { election: null },
    ['no standby can replace n1: none is known to have every acknowledged commit'],
  ],
  [
    'What a former primary has written names nobody now',
    { election: { node: 'n2', voters: ['n1', 'n3'], need: 2 } },
    ['no standby can replace n1: none is known to have every acknowledged commit'],
  ],
  [
    'With two machines nobody is expected to take over',
    { election: null, machines: [first(), standby(2)] },
    [],
  ],
  ['One of two standbys may take over: enough', { election: { node: 'n1', voters: ['n3'], need: 1 } }, []],
  [
    'Commits always wait, and no standby streams: nobody can write',
    {
      durability: 'strict',
      machines: [
        first(),
        standby(2, { postgresql: { role: 'down' } }),
        standby(3, { postgresql: { ...streaming, streaming: false } }),
      ],
    },
    [
      'writes wait: no standby streams, and durability is strict',
      'PostgreSQL on n2 is down',
      'PostgreSQL on n3 does not stream from the primary',
    ],
  ],
  ['Commits always wait, and one standby streams', { durability: 'strict' }, []],
  ['Who may take over cannot be read: that is said below', { election: UNKNOWN }, []],

  ['Nobody holds the virtual IP', withFirst({ virtualIp: 'backup' }), ['no machine holds 10.77.0.100']],
  [
    'Two hold the virtual IP',
    withSecond({ virtualIp: 'holder' }),
    ['n1 and n2 hold 10.77.0.100 at the same time'],
  ],
  [
    'The virtual IP is not with the primary',
    { machines: [first({ virtualIp: 'backup' }), standby(2, { virtualIp: 'holder' }), standby(3)] },
    ['n2 holds 10.77.0.100, but n1 is the primary'],
  ],
  [
    'keepalived has a fault',
    withSecond({ virtualIp: 'fault' }),
    ['keepalived on n2 has a fault and cannot hold the virtual IP'],
  ],
  ['keepalived is stopped', withSecond({ virtualIp: 'stopped' }), ['keepalived on n2 is stopped']],

  ['A database is silent', withSecond({ postgresql: UNKNOWN }), ['PostgreSQL on n2 does not answer']],
  ['A database is down', withSecond({ postgresql: { role: 'down' } }), ['PostgreSQL on n2 is down']],
  [
    'A second primary',
    withSecond({ postgresql: { role: 'primary', timeline: 1 } }),
    ['PostgreSQL on n2 runs as a primary, but n1 is the primary'],
  ],
  [
    'The primary is a standby',
    withFirst({ postgresql: streaming }),
    ['n1 is published as the primary, but its PostgreSQL is a standby'],
  ],
  [
    'The primary is on another timeline than published',
    withFirst({ postgresql: { role: 'primary', timeline: 3 } }),
    ['n1 is on timeline 3, but was published on timeline 2'],
  ],
  [
    'A standby does not stream',
    withSecond({ postgresql: { ...streaming, streaming: false, upstream: null } }),
    ['PostgreSQL on n2 does not stream from the primary'],
  ],
  [
    'A standby follows another standby',
    withSecond({ postgresql: { ...streaming, upstream: '10.77.0.13' } }),
    ['PostgreSQL on n2 streams from n3, not from n1'],
  ],
  [
    'A standby is on an old timeline',
    withSecond({ postgresql: { ...streaming, timeline: 1 } }),
    ['n2 is on timeline 1, the primary on 2'],
  ],

  ['A PgBouncer is silent', withSecond({ pgbouncer: UNKNOWN }), ['PgBouncer on n2 does not answer']],
  [
    'A PgBouncer lacks the database',
    withSecond({ pgbouncer: null }),
    ['PgBouncer on n2 does not know the database'],
  ],
  [
    'A PgBouncer points at a standby',
    withSecond({ pgbouncer: { host: '10.77.0.13', port: 5432, target: 'n3', paused: false } }),
    ['PgBouncer on n2 points at n3, not at n1'],
  ],
  [
    'A PgBouncer points at nobody and is paused',
    withSecond({ pgbouncer: { host: '127.0.0.1', port: 1, target: null, paused: true } }),
    ['PgBouncer on n2 points at nobody, not at n1', 'PgBouncer on n2 holds its clients back'],
  ],

  [
    'That Syncthing is not connected, the check of the machine says, after a while',
    withSecond({ files: away() }),
    [],
  ],
  [
    'What the check says of it, is said once',
    {
      machines: [
        first({
          checks: passing.map((check) =>
            check.id === 'understudy'
              ? { ...check, status: 'warning', output: 'Syncthing has no connection to n2' }
              : check,
          ),
        }),
        standby(2, { files: away() }),
        standby(3),
      ],
    },
    ['the check understudy of n1 is warning: Syncthing has no connection to n2'],
  ],
  [
    'Where gossip is cut too, that is said alone',
    withSecond({ consul: 'failed', checks: UNKNOWN, files: away() }),
    ['Consul cannot reach n2'],
  ],
  [
    'A member from before files were replicated',
    withSecond({ files: null }),
    ['n2 does not replicate files yet; run understudy join again there'],
  ],
  [
    'A member from before files were replicated is away: one sentence',
    { machines: [first(), standby(2), { ...silent(3), files: null }] },
    ['n3 does not answer: neither its Consul nor PostgreSQL nor PgBouncer'],
  ],
  [
    'The machine that looks is from before files were replicated: nothing is said of any',
    {
      folders: null,
      machines: [first({ files: null }), standby(2, { files: null }), standby(3, { files: null })],
    },
    [],
  ],
  [
    'The Syncthing of the machine that looks is silent: that is said below',
    {
      folders: UNKNOWN,
      machines: [first({ files: UNKNOWN }), standby(2, { files: UNKNOWN })],
      unknown: [{ machine: 'n1', what: 'files', why: 'Syncthing does not answer' }],
    },
    ['files of n1: not known'],
  ],
  [
    'To be behind is no deviation',
    withSecond({ files: { connected: true, folders: [copy('behind', 3)] } }),
    [],
  ],
  [
    'What is wrong with a folder, the check of the machine says',
    {
      machines: [
        first({ files: { connected: true, folders: [copy('stopped', 3)] } }),
        standby(2, { files: { connected: true, folders: [copy('not-shared', 3)] } }),
        standby(3, { files: { connected: true, folders: [{ ...copy('failing', 3), why: 'no room' }] } }),
      ],
    },
    [],
  ],
  [
    'Conflict files are no matter of the cluster: the check of the machine names them',
    { folders: [{ label: 'resources', path: '/opt/manager/resources', conflicts: 2 }] },
    [],
  ],
  ['There is no folder yet', { folders: [], ...withSecond({ files: { connected: true, folders: [] } }) }, []],

  [
    'A check fails',
    withSecond({
      checks: passing.map((check) =>
        check.id === 'understudy' ? { ...check, status: 'warning', output: 'slot missing' } : check,
      ),
    }),
    ['the check understudy of n2 is warning: slot missing'],
  ],
  [
    'A check is missing',
    withSecond({ checks: passing.filter(({ id }) => id !== 'postgresql') }),
    ['Consul has no check postgresql of n2'],
  ],
  [
    'What could not be seen is not called healthy',
    { unknown: [{ machine: 'n2', what: 'virtual IP', why: 'n2 has published nothing' }] },
    ['virtual IP of n2: not known'],
  ],
]

describe('judge', () => {
  for (const [caption, change, problems] of cases) {
    test(caption, () => {
      const verdict = judge({ ...healthy, ...change })
      assert.deepEqual(verdict.problems, problems)
      assert.equal(verdict.healthy, problems.length === 0)
    })
  }

  test('One sentence says that all is well', () => {
    assert.equal(judge(healthy).summary, 'healthy: n1 is the primary and holds 10.77.0.100')
  })

  test('With fixed placement it names the holder', () => {
    const machines = [first({ virtualIp: 'backup' }), standby(2, { virtualIp: 'holder' }), standby(3)]
    const { summary } = judge({ ...healthy, policy: 'fixed', machines })
    assert.equal(summary, 'healthy: n1 is the primary, n2 holds 10.77.0.100')
  })

  test('The summary of an unhealthy cluster names every problem', () => {
    const { summary } = judge({ ...healthy, ...withSecond({ pgbouncer: UNKNOWN, postgresql: UNKNOWN }) })
    assert.equal(summary, 'not healthy: PostgreSQL on n2 does not answer; PgBouncer on n2 does not answer')
  })

  for (const [machines, notes] of [
    [[first(), standby(2), standby(3)], []],
    [[first(), standby(2)], ['no failover is possible with two machines; at least 3 are needed']],
    [[first()], ['no failover is possible with one machine; at least 3 are needed']],
  ] as const) {
    test(`${machines.length} machines are healthy, with ${notes.length} notes`, () => {
      const verdict = judge({ ...healthy, machines: [...machines] })
      assert.deepEqual([verdict.healthy, verdict.notes], [true, notes])
    })
  }

  test('Without Consul nothing is said of how many machines there are', () => {
    const consul: ClusterReport['consul'] = { answers: false, leader: UNKNOWN }
    assert.deepEqual(judge({ ...healthy, consul, machines: [first()] }).notes, [])
  })

  for (const [caption, election, notes] of [
    ['Both standbys may take over', { node: 'n1', voters: ['n2', 'n3'], need: 2 }, []],
    [
      'One that may not take over yet is a note',
      { node: 'n1', voters: ['n3'], need: 1 },
      ['n2 cannot be promoted yet, because it may lack acknowledged commits'],
    ],
    ['That nobody may is a problem, and no note', { node: 'n1', voters: [], need: 1 }, []],
    ['Nothing is said where it cannot be read', UNKNOWN, []],
  ] as const) {
    test(caption, () => {
      const rule = election === UNKNOWN ? election : { ...election, voters: [...election.voters] }
      assert.deepEqual(judge({ ...healthy, election: rule }).notes, notes)
    })
  }

  test('A machine that is joining is a note', () => {
    const verdict = judge({ ...healthy, joining: ['n4'] })
    assert.deepEqual(verdict.notes, ['n4 runs a Consul server but has not joined (yet)'])
    assert.equal(verdict.healthy, true)
  })
})

describe('judge: what machines lack of the folders', () => {
  const lacking: readonly (readonly [caption: string, files: Machine['files'], notes: readonly string[]])[] =
    [
      ['Nothing', { connected: true, folders: [] }, []],
      [
        'Several files',
        { connected: true, folders: [copy('behind', 3)] },
        ['n2 lacks 3 files (1.5 KiB) of the folder resources'],
      ],
      [
        'One file',
        { connected: true, folders: [copy('behind', 1)] },
        ['n2 lacks 1 file (512 B) of the folder resources'],
      ],
      [
        'Of two folders',
        { connected: true, folders: [copy('behind', 1, 'certificates'), copy('not-shared', 2)] },
        [
          'n2 lacks 1 file (512 B) of the folder certificates',
          'n2 lacks 2 files (1 KiB) of the folder resources',
        ],
      ],
      [
        'Deletes alone, of a machine that is away',
        away(4),
        ['n2 lacks 4 files (0 B) of the folder resources'],
      ],
      ['Not known', UNKNOWN, []],
    ]
  for (const [caption, files, notes] of lacking) {
    test(`${caption}: ${notes.length} notes, and healthy`, () => {
      const verdict = judge({ ...healthy, ...withSecond({ files }) })
      assert.deepEqual(verdict.notes, notes)
      assert.equal(verdict.healthy, true)
    })
  }

  test('They stand below the other notes, in the order of the machines', () => {
    const files = { connected: true, folders: [copy('behind', 2)] }
    const machines = [first({ files }), standby(2, { files })]
    assert.deepEqual(judge({ ...healthy, machines, joining: ['n4'] }).notes, [
      'n4 runs a Consul server but has not joined (yet)',
      'no failover is possible with two machines; at least 3 are needed',
      'n1 lacks 2 files (1 KiB) of the folder resources',
      'n2 lacks 2 files (1 KiB) of the folder resources',
    ])
  })

  test('A machine that does not replicate files lacks nothing', () => {
    assert.deepEqual(judge({ ...healthy, ...withSecond({ files: null }) }).notes, [])
  })
})

describe('exitCodeOf', () => {
  for (const [caption, healthyNow, answers, code] of [
    ['healthy', true, true, 0],
    ['not healthy', false, true, 2],
    ['the local Consul is silent', false, false, 69],
  ] as const) {
    test(`${code}: ${caption}`, () => {
      assert.equal(exitCodeOf({ healthy: healthyNow, consul: { answers, leader: null } }), code)
    })
  }
})

describe('targetOf', () => {
  for (const [host, port, target, word] of [
    ['10.77.0.11', 5432, 'n1', 'n1'],
    ['10.77.0.99', 5432, null, '10.77.0.99:5432'],
    ['127.0.0.1', 1, null, 'nobody'],
  ] as const) {
    test(`${host}:${port} is ${word}`, () => {
      assert.equal(targetOf({ host, port, target, paused: false }), word)
    })
  }
})

test('a machine may be called unknown', () => {
  const named = JSON.parse(
    JSON.stringify(healthy, (_key, value: unknown) => (value === 'n1' ? 'unknown' : value)),
  )
  assert.equal(judge(named).summary, 'healthy: unknown is the primary and holds 10.77.0.100')
})
