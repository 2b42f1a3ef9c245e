import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deviations, type MachineView } from '../../lab/faults/order.ts'

const view = (number: number, database: MachineView['database']): MachineView => ({
  machine: `n${number}`,
  address: `10.77.0.1${number}`,
  problems: [],
  database,
  pooler: '10.77.0.11',
  holdsVirtualIp: number === 1,
})
const standby = { role: 'standby', timeline: 4, from: '10.77.0.11' } as const
const base = [view(1, { role: 'primary', timeline: 4 }), view(2, standby), view(3, standby)] as const

/** The machines' differences from the base, in their order. */
const cases: readonly [caption: string, differences: Partial<MachineView>[], found: string[]][] = [
  ['In order', [], []],
  ['No primary', [{ database: standby }], ['there is no primary']],
  [
    'Two primaries',
    [{}, { database: { role: 'primary', timeline: 5 } }],
    ['n1 and n2 are primaries at the same time'],
  ],
  ['A database is down', [{}, { database: null }], ['PostgreSQL on n2 does not answer']],
  [
    'A standby does not stream',
    [{}, { database: { ...standby, from: null } }],
    ['n2 streams from nobody, not from n1'],
  ],
  [
    'A standby is on another timeline',
    [{}, {}, { database: { ...standby, timeline: 3 } }],
    ['n3 is on timeline 3, n1 on 4'],
  ],
  [
    'A PgBouncer leads elsewhere',
    [{}, {}, { pooler: '10.77.0.12' }],
    ['PgBouncer on n3 leads to 10.77.0.12, not to n1'],
  ],
  ['A PgBouncer holds its clients', [{ pooler: null }], ['PgBouncer on n1 leads to nobody, not to n1']],
  ['Two have the virtual IP', [{}, { holdsVirtualIp: true }], ['n2 holds the virtual IP']],
  [
    'The virtual IP has not moved',
    [{ holdsVirtualIp: false }, {}, { holdsVirtualIp: true }],
    ['n1, the primary, does not hold the virtual IP', 'n3 holds the virtual IP'],
  ],
  ['A status names a problem', [{}, { problems: ['no'] }], ['n2 says: no']],
  ['A status cannot be had', [{}, { problems: null }], ['n2 has no status']],
]

describe('is the cluster in order', () => {
  for (const [caption, differences, found] of cases) {
    test(caption, () => {
      const views = base.map((machine, index) => ({ ...machine, ...differences[index] }))
      assert.deepEqual(deviations(views), found)
    })
  }
})
