import { describe } from 'node:test'
import type { CheckPlan } from '../../../lib/core/component.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { type DamagedPages, decideDamagedPagesCheck } from '../../../lib/postgresql/decide-damaged-pages.ts'
import { table } from '../support/table.ts'

const sound: DamagedPages = { failures: 0, last: null, role: 'standby' }
const damaged: DamagedPages = { failures: 3, last: '2026-11-27T10:00:00Z', role: 'standby' }
const says = (why: string) => ({ do: 'nothing', why, problems: [why] })

describe('the check of damaged pages', () =>
  table<Parameters<typeof decideDamagedPagesCheck>[0], CheckPlan>(decideDamagedPagesCheck, { pages: sound }, [
    ['No page was damaged', {}, { do: 'nothing', why: 'no page', problems: [] }],
    [
      'PostgreSQL does not answer',
      { pages: UNKNOWN },
      { do: 'nothing', why: 'does not answer', problems: [] },
    ],
    [
      'A standby can be copied again',
      { pages: damaged },
      says(
        'PostgreSQL has met a wrong checksum 3 times, at last at 2026-11-27T10:00:00Z: run "understudy rejoin --clone" on this machine',
      ),
    ],
    [
      'A primary hands over first',
      { pages: { ...damaged, failures: 1, role: 'primary' } },
      says(
        'PostgreSQL has met a wrong checksum once, at last at 2026-11-27T10:00:00Z: check the disk, stop PostgreSQL here so that a standby takes over, then run "understudy rejoin --clone"',
      ),
    ],
  ]))
