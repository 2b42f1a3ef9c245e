import { components } from '../../../lib/components.ts'
import { wantedBy } from '../../../lib/core/component.ts'
import type { Paint } from '../../../lib/core/paint.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import type { MachineFiles } from '../../../lib/files/status.ts'
import type { ClusterReport, Machine, StatusDocument, Verdict } from '../../../lib/status/facts.ts'
import * as judging from '../../../lib/status/judge.ts'
import { sectionsOf } from '../../../lib/status/sections.ts'
import * as table from '../../../lib/status/table.ts'

/** What a cluster with a virtual IP is made of that asks for nothing more. */
export const usualComponents = wantedBy({ virtualIp: '10.0.0.1' }, components)
/** Their sections, and what is made with them. */
export const sections = await sectionsOf(usualComponents)
export const judge = (report: ClusterReport): Verdict => judging.judge(report, sections)
export const documentOf = (report: ClusterReport): StatusDocument => judging.documentOf(report, sections)
export const tableLines = (status: StatusDocument, paint?: Paint): string[] =>
  table.tableLines(status, sections, paint)

const CHECKS = ['files', 'pgbouncer', 'postgresql', 'serfHealth', 'understudy']

/** Every check passes. */
export const passing = CHECKS.map((id) => ({ id, status: 'passing' as const, output: 'fine' }))

/** Everything that is in the replicated folders. */
const inSync: MachineFiles = {
  connected: true,
  folders: [{ label: 'resources', state: 'in-sync', files: 0, bytes: 0 }],
}

/** A standby that lacks nothing. */
export const standby = (number: number, change: Partial<Machine> = {}): Machine => ({
  name: `n${number}`,
  address: `10.77.0.1${number}`,
  here: false,
  consul: 'alive',
  voter: true,
  virtualIp: 'backup',
  postgresql: { role: 'standby', timeline: 2, streaming: true, upstream: '10.77.0.11', lagBytes: 0 },
  pgbouncer: { host: '10.77.0.11', port: 5432, target: 'n1', paused: false },
  files: inSync,
  checks: passing,
  ...change,
})

/** n1, the primary, with the virtual IP. */
export const first = (change: Partial<Machine> = {}): Machine =>
  standby(1, {
    here: true,
    consul: 'leader',
    virtualIp: 'holder',
    postgresql: { role: 'primary', timeline: 2 },
    ...change,
  })

/** A silent machine, as the others see it. */
export const silent = (number: number): Machine =>
  standby(number, {
    consul: 'failed',
    virtualIp: UNKNOWN,
    postgresql: UNKNOWN,
    pgbouncer: UNKNOWN,
    files: {
      connected: false,
      folders: [{ label: 'resources', state: 'disconnected', files: 0, bytes: 0 }],
    },
    checks: UNKNOWN,
  })

/** Three machines of which nothing is to be said; n1 looks. */
export const healthy: ClusterReport = {
  at: '2026-03-01T12:05:00.000Z',
  observer: 'n1',
  consul: { answers: true, leader: 'n1' },
  virtualIp: '10.77.0.100',
  policy: 'with-primary',
  durability: 'quorum',
  election: { node: 'n1', voters: ['n2', 'n3'], need: 2 },
  lock: { held: true, node: 'n1', since: '2026-03-01T10:00:00.000Z', why: 'first machine', epoch: 3 },
  published: { node: 'n1', address: '10.77.0.11', port: 5432, timeline: 2, epoch: 3 },
  primary: 'n1',
  folders: [{ label: 'resources', path: '/opt/manager/resources', conflicts: 0 }],
  joining: [],
  machines: [first(), standby(2), standby(3)],
  unknown: [],
}
