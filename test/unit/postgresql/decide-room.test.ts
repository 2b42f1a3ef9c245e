import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CopyPlace, type CopySource, refuseCopy } from '../../../lib/postgresql/decide-room.ts'

const GiB = 1024 ** 3
const source: CopySource = {
  node: 'n1',
  bytes: GiB,
  tablespaces: [{ name: 'fast', location: '/srv/fast', bytes: 2 * GiB }],
}
const data: CopyPlace = { path: '/var/lib/postgresql/17', state: 'ready', device: 1, freeBytes: 2 * GiB }
const fast: CopyPlace = { path: '/srv/fast', state: 'ready', device: 2, freeBytes: 3 * GiB }

const cases: readonly [
  what: string,
  own: Partial<CopyPlace>,
  place: Partial<CopyPlace>,
  lacks: 'directory' | 'room' | null,
  why: RegExp,
][] = [
  ['There is room on both disks', {}, {}, null, /./],
  [
    'The disk of the data directory is too small',
    { freeBytes: GiB },
    {},
    'room',
    /^a copy of n1 needs 1\.1 GiB on the disk of \/var\/lib\/postgresql\/17, where 1 GiB are free/,
  ],
  [
    'The disk of the tablespace is too small',
    {},
    { freeBytes: 2 * GiB },
    'room',
    /needs 2\.2 GiB on the disk of \/srv\/fast, where 2 GiB/,
  ],
  [
    'Both are on one disk, which has room for either but not for both',
    { freeBytes: 3 * GiB },
    { device: 1, freeBytes: 3 * GiB },
    'room',
    /needs 3\.2 GiB on the disk of \/var/,
  ],
  [
    'The directory of the tablespace is missing: it may be a disk that is not mounted',
    {},
    { state: 'missing' },
    'directory',
    /^n1 has the tablespace fast in \/srv\/fast, and this machine has no such directory; .*install -d -o postgres -g postgres -m 700 \/srv\/fast/,
  ],
  ['It is not of postgres', {}, { state: 'foreign' }, 'directory', /chown postgres:postgres \/srv\/fast/],
  [
    'Another cluster has a tablespace there',
    {},
    { state: 'used' },
    'directory',
    /another PostgreSQL of this machine has data/,
  ],
  ['It is inside the data directory', {}, { state: 'inside' }, 'directory', /inside the data directory/],
]

describe('may the primary be copied to this machine', () => {
  for (const [what, own, place, lacks, why] of cases)
    test(what, () => {
      const refusal = refuseCopy(source, { ...data, ...own }, [{ ...fast, ...place }])
      assert.equal(refusal?.lacks ?? null, lacks)
      if (refusal !== null) assert.match(refusal.why, why)
    })
})
