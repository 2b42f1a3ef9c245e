import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConsulReadings as ConsulOwn } from '../../../lib/consul/decide-status.ts'
import type { Entry } from '../../../lib/consul/entry.ts'
import type { Reading } from '../../../lib/core/reading.ts'
import type { Seen } from '../../../lib/core/status.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import type { Copy, FilesSeen, FolderCopies } from '../../../lib/files/decide-copy.ts'
import type { FilesReport } from '../../../lib/files/report.ts'
import type { PoolTarget } from '../../../lib/pooler/console.ts'
import type { DatabaseAnswer, PostgresqlReadings } from '../../../lib/postgresql/decide-status.ts'
import type { ServicesReadings } from '../../../lib/services/decide-status.ts'
import { assemble as assembleBy } from '../../../lib/status/assemble.ts'
import type { ChecksReadings } from '../../../lib/status/checks.ts'
import type { ClusterReport } from '../../../lib/status/facts.ts'
import { rollCall } from '../../../lib/status/roll-call.ts'
import type { VirtualIpReadings } from '../../../lib/virtual-ip/status.ts'
import { walkedWith } from '../support/documents.ts'
import { settings } from '../support/settings.ts'
import { judge, passing, sections } from './healthy.ts'

type ConsulReadings = ConsulOwn & PostgresqlReadings & VirtualIpReadings & ServicesReadings & ChecksReadings

interface MachineReadings {
  postgresql: Reading<DatabaseAnswer>
  pgbouncer: Reading<PoolTarget | null>
}

interface Readings extends Omit<Seen<ConsulReadings, object, MachineReadings>, 'here'> {
  holdsVirtualIp: boolean
  files: Reading<FilesSeen | null>
  filesReport: FilesReport | null
}

const assemble = ({ holdsVirtualIp, files, filesReport, ...seen }: Readings): ClusterReport =>
  assembleBy(
    {
      ...seen,
      here: { holdsVirtualIp: { value: holdsVirtualIp }, files, filesReport: { value: filesReport } },
    },
    sections,
  )

const NAMES = ['n1', 'n2', 'n10'] as const
const addressOf = (name: string): string => `10.77.0.1${name.slice(1)}`
const since = '2026-03-01T10:00:00.000Z'
const entry = <T>(value: T, session: string | null = null): Entry<T> => ({
  value,
  modifyIndex: 1,
  lockIndex: 3,
  session,
})
const each = <T>(make: (name: string) => T) => ({
  value: new Map(NAMES.map((name) => [name, entry(make(name))])),
})
const silence = { why: 'no answer within 1300 ms' }

const consul: ConsulReadings = {
  leader: { value: '10.77.0.12:8300' },
  members: {
    value: NAMES.map((name) => ({ name, address: addressOf(name), alive: true, server: true })),
  },
  voters: { value: [...NAMES] },
  config: {
    value: entry({
      schema: 1,
      clusterId: '5b2a4f0e-0000-4000-8000-000000000000',
      virtualIp: '10.77.0.100/24',
      vrrp: 'unicast',
      routerId: 51,
      policy: 'with-primary',
      durability: 'strict',
      database: 'app',
      user: 'app',
      postgresqlVersion: 17,
    }),
  },
  nodes: each((name) => ({ schema: 1 as const, address: addressOf(name), joinedAt: since, versions: {} })),
  databases: each((name) => ({ schema: 1 as const, repmgrId: 1, address: addressOf(name), port: 5432 })),
  keepalived: each((name) => ({
    schema: 1 as const,
    priority: 100,
    state: name === 'n1' ? ('MASTER' as const) : ('BACKUP' as const),
    since,
  })),
  lock: { value: entry({ schema: 1, node: 'n1', since, why: 'first machine' }, 'session') },
  published: {
    value: entry({ schema: 1, node: 'n1', address: '10.77.0.11', port: 5432, timeline: 2, epoch: 3 }),
  },
  sync: { value: entry({ schema: 1, node: 'n1', voters: ['n10', 'n2'], need: 2 }) },
  services: { value: null },
  serviceNodes: { value: new Map() },
  checks: {
    value: NAMES.flatMap((node) =>
      passing.map(({ id, status, output }) => ({
        node,
        checkId: id,
        service: id,
        status,
        output: `${output}\nmore`,
      })),
    ),
  },
}

const machine = (name: string): MachineReadings => ({
  postgresql: {
    value:
      name === 'n1'
        ? { role: 'primary', timeline: 2, position: 5000n, hotStandby: new Map() }
        : {
            role: 'standby',
            timeline: 2,
            receivedLsn: 5000n,
            replayedLsn: 5000n,
            receiverStopped: false,
            position: name === 'n2' ? 4000n : 5100n,
            streaming: true,
            upstream: '10.77.0.11',
            hotStandby: new Map(),
          },
  },
  pgbouncer: { value: { host: '10.77.0.11', port: 5432, paused: false } },
})

const inSync: Copy = { state: 'in-sync', files: 0, bytes: 0 }
const behind: Copy = { state: 'behind', files: 3, bytes: 700 }
const disconnected: Copy = { state: 'disconnected', files: 0, bytes: 0 }

/** A folder that all have, but for what differs. */
const folder = (label: string, here: Copy = inSync, others: Record<string, Copy> = {}): FolderCopies => ({
  label,
  path: `/srv/${label}`,
  sequence: 7,
  here,
  others: new Map(Object.entries({ n2: inSync, n10: inSync, ...others })),
})

const at = '2026-03-01T12:05:00.000Z'

/** What the Syncthing of n1 sees; it is connected to all but these. */
const seen = (folders: FolderCopies[], away: readonly string[] = []): FilesSeen => ({
  folders,
  connected: new Map(['n2', 'n10'].map((name) => [name, !away.includes(name)])),
})

const readings = (change: Partial<ConsulReadings> = {}, silent: readonly string[] = []): Readings => {
  const asked = { ...consul, ...change }
  const members = rollCall(settings, asked)
  return {
    at,
    settings,
    holdsVirtualIp: true,
    consul: asked,
    members,
    machines: new Map(
      members.map(({ name }) => [
        name,
        silent.includes(name) ? { postgresql: silence, pgbouncer: silence } : machine(name),
      ]),
    ),
    files: { value: seen([folder('resources')]) },
    filesReport: { at, problems: [], folders: { resources: walkedWith(0, 7) } },
  }
}

/** Gossip without this machine. */
const gossipWithout = (gone: string) => ({
  value: NAMES.map((name) => ({ name, address: addressOf(name), alive: name !== gone, server: true })),
})

const lagsOf = ({ machines }: ClusterReport) =>
  machines.map(({ postgresql }) =>
    postgresql !== UNKNOWN && postgresql.role === 'standby' ? postgresql.lagBytes : null,
  )

describe('rollCall', () => {
  test('The members, by name', () => {
    assert.deepEqual(
      rollCall(settings, consul).map(({ name }) => name),
      ['n1', 'n2', 'n10'],
    )
  })

  test("Without the list of members, Consul's servers", () => {
    const members = {
      value: [
        { name: 'n3', address: '10.77.0.13', alive: false, server: true },
        { name: 'laptop', address: '10.77.0.50', alive: true, server: false },
      ],
    }
    assert.deepEqual(rollCall(settings, { nodes: silence, members }), [
      { name: 'n1', address: '10.77.0.11' },
      { name: 'n3', address: '10.77.0.13' },
    ])
  })

  test('Without Consul only this machine', () => {
    const names = rollCall(settings, { ...consul, nodes: silence, members: silence }).map(({ name }) => name)
    assert.deepEqual(names, ['n1'])
  })
})

describe('assemble', () => {
  test('All is read: nothing is unknown, and the cluster is healthy', () => {
    const report = assemble(readings())
    assert.deepEqual(report.unknown, [])
    assert.deepEqual(judge(report).problems, [])
    assert.deepEqual([report.primary, report.consul.leader, report.virtualIp], ['n1', 'n2', '10.77.0.100'])
  })

  test('What a commit waits for and who may take over are said as Consul has them', () => {
    const { durability, election } = assemble(readings())
    assert.equal(durability, 'strict')
    assert.deepEqual(election, { node: 'n1', voters: ['n10', 'n2'], need: 2 })
  })

  test('No primary has written yet who may take over', () =>
    assert.equal(assemble(readings({ sync: { value: null } })).election, null))

  test('Who may take over cannot be read', () => {
    const report = assemble(readings({ sync: silence }))
    assert.equal(report.election, UNKNOWN)
    assert.deepEqual(report.unknown, [{ machine: null, what: 'who may take over', why: silence.why }])
    assert.deepEqual(judge(report).problems, ['who may take over: not known'])
  })

  test('Lag is measured from the primary and is never negative', () => {
    assert.deepEqual(lagsOf(assemble(readings())), [null, 1000, 0])
  })

  test('Without the primary, lag is unknown', () => {
    const report = assemble(readings({ members: gossipWithout('n1') }, ['n1']))
    assert.deepEqual(lagsOf(report), [null, UNKNOWN, UNKNOWN])
    assert.ok(report.unknown.some(({ machine: name, what }) => name === 'n2' && what === 'lag'))
  })

  test('What a silent machine had published is not believed', () => {
    const report = assemble(readings({ members: gossipWithout('n2') }, ['n2']))
    const { consul: member, virtualIp, checks, postgresql, pgbouncer } = report.machines[1] ?? assert.fail()
    assert.deepEqual(
      [member, virtualIp, checks, postgresql, pgbouncer],
      ['failed', ...Array(4).fill(UNKNOWN)],
    )
    assert.equal(judge(report).problems.length, 1)
    for (const gap of report.unknown) assert.equal(gap.machine, 'n2')
  })

  test('Without a leader only first-hand news count', () => {
    const report = assemble(readings({ leader: { value: null } }))
    assert.deepEqual(
      report.machines.map(({ virtualIp, checks }) => [virtualIp, checks]),
      [
        ['holder', UNKNOWN],
        [UNKNOWN, UNKNOWN],
        [UNKNOWN, UNKNOWN],
      ],
    )
    assert.equal(report.primary, 'n1')
    assert.deepEqual(judge(report).problems, [
      'Consul has no leader (no majority of the servers): failover is suspended',
    ])
  })

  test('Without Consul this machine is left, and one reason', () => {
    const dead = Object.fromEntries(
      Object.keys(consul).map((name) => [name, { why: `could not read ${name}` }]),
    ) as unknown as ConsulReadings
    const report = assemble(readings(dead))
    assert.equal(report.consul.answers, false)
    assert.equal(report.virtualIp, '10.77.0.100')
    assert.deepEqual(
      report.machines.map(({ name, postgresql, virtualIp }) => [name, postgresql, virtualIp]),
      [['n1', { role: 'primary', timeline: 2 }, 'holder']],
    )
    assert.deepEqual(
      [...new Set(report.unknown.map(({ why }) => why))],
      ['Consul on n1 does not answer: could not read members'],
    )
  })

  test('This machine knows better than what it published', () => {
    const report = assemble({ ...readings(), holdsVirtualIp: false })
    assert.equal(report.machines[0]?.virtualIp, 'backup')
  })

  test('A server without a seat is joining; clients of Consul are none of ours', () => {
    const members = {
      value: [
        ...gossipWithout('').value,
        { name: 'n4', address: '10.77.0.14', alive: true, server: true },
        { name: 'n5', address: '10.77.0.15', alive: false, server: true },
        { name: 'laptop', address: '10.77.0.50', alive: true, server: false },
      ],
    }
    assert.deepEqual(assemble(readings({ members })).joining, ['n4'])
  })

  test('A server that was added a moment ago has no vote', () => {
    const report = assemble(readings({ voters: { value: ['n1', 'n2'] } }))
    assert.deepEqual(judge(report).problems, [
      "Consul's server on n10 has no vote (yet): it does not count for a majority",
    ])
  })

  test('A check is quoted with its first line', () => {
    const { checks } = assemble(readings()).machines[0] ?? assert.fail()
    assert.deepEqual(checks, passing)
  })

  test('A document that is not ours is a reason, not a crash', () => {
    const report = assemble(
      readings({ config: { why: 'holds something else' }, lock: { why: 'holds something else' } }),
    )
    assert.deepEqual([report.policy, report.durability], [UNKNOWN, UNKNOWN])
    assert.deepEqual([report.lock, report.primary], [UNKNOWN, UNKNOWN])
    assert.equal(judge(report).healthy, false)
  })
})

/** What is reported of files, by machine. */
const filesOf = ({ machines }: ClusterReport) =>
  Object.fromEntries(machines.map(({ name, files }) => [name, files]))

describe('assemble: replicated files', () => {
  test('Of every machine its own copies are told, by label', () => {
    const stopped: Copy = { state: 'stopped', files: 1, bytes: 20, why: 'folder marker missing' }
    const notShared: Copy = { state: 'not-shared', files: 5, bytes: 90 }
    const folders = [
      folder('resources', stopped, { n2: behind }),
      folder('certificates', inSync, { n10: notShared }),
    ]
    assert.deepEqual(filesOf(assemble({ ...readings(), files: { value: seen(folders) } })), {
      n1: {
        connected: true,
        folders: [
          { label: 'certificates', ...inSync },
          { label: 'resources', ...stopped },
        ],
      },
      n2: {
        connected: true,
        folders: [
          { label: 'certificates', ...inSync },
          { label: 'resources', ...behind },
        ],
      },
      n10: {
        connected: true,
        folders: [
          { label: 'certificates', ...notShared },
          { label: 'resources', ...inSync },
        ],
      },
    })
  })

  test('A machine that Syncthing does not know has none', () => {
    const value: FilesSeen = {
      folders: [{ ...folder('resources'), others: new Map([['n2', behind]]) }],
      connected: new Map([['n2', true]]),
    }
    const report = assemble({ ...readings(), files: { value } })
    assert.deepEqual(filesOf(report), {
      n1: { connected: true, folders: [{ label: 'resources', ...inSync }] },
      n2: { connected: true, folders: [{ label: 'resources', ...behind }] },
      n10: null,
    })
    assert.deepEqual(report.unknown, [])
  })

  test('Of a machine that Syncthing has just been told of, no copy is made up', () => {
    const value = seen([{ ...folder('resources'), others: new Map([['n2', behind]]) }])
    assert.deepEqual(filesOf(assemble({ ...readings(), files: { value } }))['n10'], {
      connected: true,
      folders: [],
    })
  })

  test('Without a folder there is nothing that anyone could lack', () => {
    const report = assemble({ ...readings(), files: { value: seen([]) } })
    const nothing = { connected: true, folders: [] }
    assert.deepEqual(report.folders, [])
    assert.deepEqual(filesOf(report), { n1: nothing, n2: nothing, n10: nothing })
  })

  test('Where this machine has no Syncthing, nothing is told of any, and nothing is missing', () => {
    const report = assemble({ ...readings(), files: { value: null }, filesReport: null })
    assert.equal(report.folders, null)
    assert.deepEqual(filesOf(report), { n1: null, n2: null, n10: null })
    assert.deepEqual(report.unknown, [])
    assert.deepEqual(judge(report).problems, [])
  })

  test('Where Syncthing is silent, all is unknown for one reason', () => {
    const report = assemble({ ...readings(), files: silence })
    assert.equal(report.folders, UNKNOWN)
    assert.deepEqual(filesOf(report), { n1: UNKNOWN, n2: UNKNOWN, n10: UNKNOWN })
    assert.deepEqual(report.unknown, [{ machine: 'n1', what: 'files', why: silence.why }])
    assert.deepEqual(judge(report).problems, ['files of n1: not known'])
  })

  test('A silent Consul takes nothing from what Syncthing has told', () => {
    const report = assemble(readings(Object.fromEntries(Object.keys(consul).map((name) => [name, silence]))))
    assert.deepEqual(report.folders, [{ label: 'resources', path: '/srv/resources', conflicts: 0 }])
    assert.deepEqual(filesOf(report), {
      n1: { connected: true, folders: [{ label: 'resources', ...inSync }] },
    })
  })

  const counts: readonly (readonly [
    caption: string,
    filesReport: FilesReport | null,
    certificates: number | null,
    resources: number | null,
  ])[] = [
    [
      'Conflicts are those that were counted, and null where none were',
      {
        at,
        problems: ['something'],
        folders: { resources: walkedWith(2, 6), removed: walkedWith(9, 1) },
      },
      null,
      2,
    ],
    [
      'No conflict is not the same as not counted',
      { at, problems: [], folders: { certificates: walkedWith(0, 7) } },
      0,
      null,
    ],
    ['Since the boot nobody has counted', null, null, null],
  ]
  for (const [caption, filesReport, certificates, resources] of counts) {
    test(caption, () => {
      const files = { value: seen([folder('resources'), folder('certificates')]) }
      assert.deepEqual(assemble({ ...readings(), files, filesReport }).folders, [
        { label: 'certificates', path: '/srv/certificates', conflicts: certificates },
        { label: 'resources', path: '/srv/resources', conflicts: resources },
      ])
    })
  }

  test('Of a machine that is not connected that is told, with what is known of it', () => {
    const value = seen([folder('resources', behind, { n2: disconnected })], ['n2'])
    const report = assemble({ ...readings(), files: { value } })
    assert.deepEqual(filesOf(report), {
      n1: { connected: true, folders: [{ label: 'resources', ...behind }] },
      n2: { connected: false, folders: [{ label: 'resources', ...disconnected }] },
      n10: { connected: true, folders: [{ label: 'resources', ...inSync }] },
    })
    assert.deepEqual(report.unknown, [])
    // When it should be, the check of n1 says.
    assert.deepEqual(judge(report).problems, [])
  })

  test('A machine that is not connected is told of without a folder, too', () => {
    const { n2 } = filesOf(assemble({ ...readings(), files: { value: seen([], ['n2']) } }))
    assert.deepEqual(n2, { connected: false, folders: [] })
  })

  test('Whether Consul sees a machine says nothing of its connection', () => {
    const report = assemble({
      ...readings({ members: gossipWithout('n2') }),
      files: { value: seen([], ['n10']) },
    })
    assert.deepEqual(filesOf(report), {
      n1: { connected: true, folders: [] },
      n2: { connected: true, folders: [] },
      n10: { connected: false, folders: [] },
    })
  })
})
