import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Away,
  awayProblems,
  filesProblems,
  stillAway,
  whyLookAgain,
} from '../../../lib/files/decide-check.ts'
import type { Copy, FolderCopies } from '../../../lib/files/decide-copy.ts'
import type { FilesReport } from '../../../lib/files/report.ts'
import { walkedWith } from '../support/documents.ts'

const at = '2026-03-01T12:00:00.000Z'
const SECOND = 1000
const MINUTE = 60 * SECOND
const YEAR = 365 * 24 * 60 * MINUTE

const inSync: Copy = { state: 'in-sync', files: 0, bytes: 0 }
const folder = (label: string, difference: Partial<FolderCopies> = {}): FolderCopies => ({
  label,
  path: `/srv/${label}`,
  sequence: 7,
  here: inSync,
  others: new Map([['n2', inSync]]),
  ...difference,
})

/** One folder without conflicts, and nothing to say. */
const report: FilesReport = { at, problems: [], folders: { resources: walkedWith(0, 7) } }
const unchanged = [folder('resources')]
const changed = [folder('resources', { sequence: 8 })]

const NEVER = 'there is no report since the boot'
const PROBLEMS = 'the last report names problems'
const LONG_AGO = 'the last report is old'
const CHANGED = 'folders have changed'

describe('files-check: whether to look again', () => {
  const cases: readonly (readonly [
    caption: string,
    difference: Partial<FilesReport> | null,
    folders: readonly FolderCopies[],
    ageMs: number,
    why: string | null,
  ])[] = [
    ['After the boot', null, unchanged, 0, NEVER],
    ['After the boot, without a folder', null, [], 0, NEVER],

    ['Nothing has changed since a moment ago', {}, unchanged, SECOND, null],
    ['Nothing has changed for almost a minute', {}, unchanged, MINUTE - 1, null],
    ['Nothing has changed for a minute', {}, unchanged, MINUTE, LONG_AGO],
    ['There is no folder', { folders: {} }, [], MINUTE - 1, null],
    ['There is no folder, for a minute', { folders: {} }, [], MINUTE, LONG_AGO],

    ['There was a problem a moment ago', { problems: ['no room'] }, unchanged, 0, PROBLEMS],
    ['There was a problem long ago', { problems: ['no room'] }, changed, YEAR, PROBLEMS],

    ['Something changed, and was counted twenty seconds ago', {}, changed, 20 * SECOND, null],
    ['Something changed, and was counted longer ago', {}, changed, 20 * SECOND + 1, CHANGED],
    ['Something changed, and was counted a minute ago', {}, changed, MINUTE, LONG_AGO],
    [
      'A folder was made anew, and counts from the start',
      {},
      [folder('resources', { sequence: 1 })],
      30 * SECOND,
      CHANGED,
    ],
    ['Only the second has changed', {}, [...unchanged, folder('new')], 30 * SECOND, CHANGED],
    ['A folder is new', {}, [...unchanged, folder('new', { sequence: 0 })], 30 * SECOND, CHANGED],
    [
      'A folder is stopped: its disk may be back',
      {},
      [folder('resources', { here: { state: 'stopped', files: 0, bytes: 0, why: 'no marker' } })],
      0,
      'a folder is stopped',
    ],
    ['A folder is new, and it was looked a moment ago', {}, [...unchanged, folder('new')], SECOND, null],
    ['A folder is gone: there is nothing to count', {}, [], 30 * SECOND, null],
    [
      'What others lack does not count',
      {},
      [folder('resources', { others: new Map([['n2', { state: 'behind', files: 3, bytes: 9 }]]) })],
      30 * SECOND,
      null,
    ],

    ['The clock was set back a little', {}, unchanged, -30 * SECOND, null],
    ['The clock was set back a little, and something changed', {}, changed, -30 * SECOND, null],
    ['The clock was set back almost a minute', {}, unchanged, 1 - MINUTE, null],
    ['The clock was set back a minute', {}, unchanged, -MINUTE, LONG_AGO],
    ['The clock was a year ahead when it was looked', {}, unchanged, -YEAR, LONG_AGO],
    ['The clock was a year behind when it was looked', {}, unchanged, YEAR, LONG_AGO],
    ['The time cannot be read', { at: 'yesterday' }, unchanged, 0, LONG_AGO],
  ]
  for (const [index, [caption, difference, folders, ageMs, why]] of cases.entries()) {
    test(`${index + 1}. ${caption}`, () => {
      const given = difference && { ...report, ...difference }
      assert.equal(whyLookAgain(given, folders, Date.parse(at) + ageMs), why)
    })
  }

  test('However the clock was set, it is looked again within two minutes', () => {
    const ages = fc.oneof(
      fc.integer({ min: -66 * SECOND, max: 66 * SECOND }),
      fc.integer({ min: -YEAR, max: YEAR }),
    )
    fc.assert(
      fc.property(ages, (ageMs) => {
        const why = [0, 2 * MINUTE].map((later) =>
          whyLookAgain(report, unchanged, Date.parse(at) + ageMs + later),
        )
        assert.ok(why.includes(LONG_AGO), `${ageMs}: ${why}`)
      }),
    )
  })
})

describe('files-check: what a person has to correct', () => {
  const withHere = (here: Copy) => [folder('resources', { here })]
  const counted = (conflicts: number): FilesReport => ({
    ...report,
    folders: { resources: walkedWith(conflicts, 7) },
  })
  const cases: readonly (readonly [
    caption: string,
    given: FilesReport | null,
    folders: readonly FolderCopies[],
    problems: readonly string[],
  ])[] = [
    ['Nothing', report, unchanged, []],
    ['Nothing, before anybody has looked', null, unchanged, []],
    ['Nothing, without a folder', { ...report, folders: {} }, [], []],
    [
      'What the last run could not do',
      { ...report, problems: ['no room', 'no user www'] },
      unchanged,
      ['no room', 'no user www'],
    ],
    [
      'A folder is stopped',
      report,
      withHere({ state: 'stopped', files: 0, bytes: 0, why: 'folder marker missing' }),
      ['the folder resources is stopped: folder marker missing'],
    ],
    [
      'A folder is stopped, and there is no report since the boot',
      null,
      withHere({ state: 'stopped', files: 3, bytes: 700, why: 'folder path missing' }),
      ['the folder resources is stopped: folder path missing'],
    ],
    [
      'A file cannot be written',
      report,
      withHere({ state: 'failing', files: 1, bytes: 700, why: 'a/b: permission denied' }),
      ['in the folder resources: a/b: permission denied'],
    ],
    [
      'A file cannot be read, and there is no report since the boot',
      null,
      withHere({ state: 'failing', files: 0, bytes: 0, why: 'a/b: permission denied' }),
      ['in the folder resources: a/b: permission denied'],
    ],
    [
      'Changes are not watched, although all is there',
      report,
      withHere({ ...inSync, why: 'changes are not watched: too many files' }),
      ['in the folder resources: changes are not watched: too many files'],
    ],
    ['To be behind is no problem', report, withHere({ state: 'behind', files: 3, bytes: 700 }), []],
    [
      'What others have is theirs to say',
      report,
      [
        folder('resources', {
          others: new Map([
            ['n2', { state: 'disconnected', files: 3, bytes: 700 }],
            ['n3', { state: 'not-shared', files: 3, bytes: 700 }],
          ]),
        }),
      ],
      [],
    ],
    ['One conflict', counted(1), unchanged, ['the folder resources has 1 conflict file']],
    ['Several conflicts', counted(12), unchanged, ['the folder resources has 12 conflict files']],
    // They are in a directory that is not replicated now.
    ['Conflicts in a folder that is no longer replicated', counted(12), [folder('other')], []],
    [
      'All at once: the run, then the folders, then the conflicts',
      { ...counted(2), problems: ['no room'] },
      [
        ...withHere({ state: 'stopped', files: 0, bytes: 0, why: 'x' }),
        folder('other', { here: { state: 'behind', files: 1, bytes: 1, why: 'y' } }),
      ],
      [
        'no room',
        'the folder resources is stopped: x',
        'in the folder other: y',
        'the folder resources has 2 conflict files',
      ],
    ],
  ]
  for (const [index, [caption, given, folders, problems]] of cases.entries()) {
    test(`${index + 1}. ${caption}`, () => assert.deepEqual(filesProblems(given, folders), problems))
  }
})

/** n2, n3 and n10, with those that are not connected and those that Consul does not see. */
const NAMES = ['n2', 'n3', 'n10']
const connectedBut = (...away: string[]) => new Map(NAMES.map((name) => [name, !away.includes(name)]))
const aliveBut = (...dead: string[]) => new Set(['n1', ...NAMES].filter((name) => !dead.includes(name)))
/** A moment, in ms after the first. */
const T = (ms: number): number => Date.parse(at) + ms

describe('files-check: who is still away', () => {
  const cases: readonly (readonly [
    caption: string,
    before: Away,
    connected: ReadonlyMap<string, boolean>,
    alive: ReadonlySet<string>,
    after: Away,
  ])[] = [
    ['All are connected', {}, connectedBut(), aliveBut(), {}],
    ['There is no other machine', { n2: T(-5) }, new Map(), new Set(['n1']), {}],
    ['One is away since now', {}, connectedBut('n2'), aliveBut(), { n2: T(0) }],
    ['One is away for a while', { n2: T(-5) }, connectedBut('n2'), aliveBut(), { n2: T(-5) }],
    ['One is away for a year', { n2: T(-YEAR) }, connectedBut('n2'), aliveBut(), { n2: T(-YEAR) }],
    [
      'Another one is away, too',
      { n2: T(-5) },
      connectedBut('n2', 'n3'),
      aliveBut(),
      { n2: T(-5), n3: T(0) },
    ],
    [
      'One is back, and another one is still away',
      { n2: T(-5), n3: T(-4) },
      connectedBut('n3'),
      aliveBut(),
      { n3: T(-4) },
    ],
    ['All are back', { n2: T(-5), n3: T(-4) }, connectedBut(), aliveBut(), {}],
    ['One that is dead is not missed', {}, connectedBut('n2'), aliveBut('n2'), {}],
    ['One has died', { n2: T(-5) }, connectedBut('n2'), aliveBut('n2'), {}],
    ['One that Consul takes for dead is connected', { n2: T(-5) }, connectedBut(), aliveBut('n2'), {}],
    [
      'One has died, and another one is still away',
      { n2: T(-5), n3: T(-4) },
      connectedBut('n2', 'n3'),
      aliveBut('n2'),
      { n3: T(-4) },
    ],
    ['Consul does not answer: nobody is missed', { n2: T(-5) }, connectedBut('n2'), new Set(), {}],
    [
      'One has left: Syncthing has no such device any more',
      { n2: T(-5), n9: T(-5) },
      connectedBut('n2'),
      new Set([...aliveBut(), 'n9']),
      { n2: T(-5) },
    ],
    [
      'A server that is no device of Syncthing is not missed',
      {},
      connectedBut(),
      new Set([...aliveBut(), 'n4']),
      {},
    ],
    ['It was found a moment ago', { n2: T(0) }, connectedBut('n2'), aliveBut(), { n2: T(0) }],
    ['The clock was set back a little', { n2: T(1) }, connectedBut('n2'), aliveBut(), { n2: T(0) }],
    ['The clock was set back by a year', { n2: T(YEAR) }, connectedBut('n2'), aliveBut(), { n2: T(0) }],
    [
      'The clock was set back to after one, and to before another',
      { n2: T(-5), n3: T(5) },
      connectedBut('n2', 'n3'),
      aliveBut(),
      { n2: T(-5), n3: T(0) },
    ],
  ]
  for (const [index, [caption, before, connected, alive, after]] of cases.entries()) {
    test(`${index + 1}. ${caption}`, () => {
      const given = { ...before }
      assert.deepEqual(stillAway(given, connected, alive, T(0)), after)
      assert.deepEqual(given, before)
    })
  }

  for (const [caption, connected, alive] of [
    ['connected', connectedBut(), aliveBut()],
    ['dead', connectedBut('n2'), aliveBut('n2')],
    ['both', connectedBut(), aliveBut('n2')],
  ] as const) {
    test(`One that was ${caption} meanwhile begins anew`, () => {
      const first = stillAway({}, connectedBut('n2'), aliveBut(), T(0))
      const meanwhile = stillAway(first, connected, alive, T(110 * SECOND))
      const again = stillAway(meanwhile, connectedBut('n2'), aliveBut(), T(125 * SECOND))
      assert.deepEqual([first, meanwhile, again], [{ n2: T(0) }, {}, { n2: T(125 * SECOND) }])
      assert.deepEqual(awayProblems(again, T(125 * SECOND)), [])
    })
  }

  test('In whatever order Syncthing lists them, the same is written down', () => {
    const [forth, back] = [NAMES, NAMES.toReversed()].map((names) =>
      JSON.stringify(stillAway({}, new Map(names.map((name) => [name, false])), aliveBut(), T(0))),
    )
    assert.equal(forth, back)
  })
})

describe('files-check: who should have been connected', () => {
  const sentence = (name: string) =>
    `Syncthing is not connected to ${name}; check that it runs there and that its port 22000 is open`
  const cases: readonly (readonly [caption: string, away: Away, problems: readonly string[]])[] = [
    ['Nobody is away', {}, []],
    ['One is away since now', { n2: T(0) }, []],
    ['One is away for two minutes: its old connection may be in the way', { n2: T(-2 * MINUTE) }, []],
    ['One is away for longer', { n2: T(-2 * MINUTE - 1) }, [sentence('n2')]],
    ['One is away for a year', { n2: T(-YEAR) }, [sentence('n2')]],
    ['Each is counted for itself', { n2: T(-MINUTE), n3: T(-3 * MINUTE) }, [sentence('n3')]],
    [
      'Two are away for longer',
      { n10: T(-3 * MINUTE), n2: T(-4 * MINUTE) },
      [sentence('n10'), sentence('n2')],
    ],
    ['The clock was set back', { n2: T(YEAR) }, []],
  ]
  for (const [index, [caption, away, problems]] of cases.entries()) {
    test(`${index + 1}. ${caption}`, () => assert.deepEqual(awayProblems(away, T(0)), problems))
  }

  test('What is said does not change while nothing does', () => {
    const away = { n2: T(0), n3: T(0) }
    assert.deepEqual(awayProblems(away, T(3 * MINUTE)), awayProblems(away, T(YEAR)))
  })

  test('Looked at every 15 s, the first look after two minutes says it', () => {
    let away: Away = {}
    const said: number[] = []
    for (let seconds = 0; seconds <= 150; seconds += 15) {
      away = stillAway(away, connectedBut('n2'), aliveBut(), T(seconds * SECOND))
      if (awayProblems(away, T(seconds * SECOND)).length > 0) said.push(seconds)
    }
    assert.deepEqual(said, [135, 150])
  })

  test('Whatever happens, those are named that were missed at every look for more than two minutes', () => {
    const look = fc.record({
      // Set back now and then.
      laterMs: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: 0, max: 40 * SECOND }) },
        { weight: 1, arbitrary: fc.integer({ min: -5 * MINUTE, max: 0 }) },
      ),
      away: fc.oneof({ weight: 3, arbitrary: fc.constant([...NAMES]) }, fc.subarray(NAMES)),
      dead: fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, fc.subarray(NAMES)),
    })
    fc.assert(
      fc.property(fc.array(look, { maxLength: 40 }), (looks) => {
        let nowMs = T(0)
        let away: Away = {}
        // How long each has been missed by the clock, of which a setback takes back what it can.
        let missed = new Map<string, number>()
        for (const { laterMs, away: gone, dead } of looks) {
          nowMs += laterMs
          away = stillAway(away, connectedBut(...gone), aliveBut(...dead), nowMs)
          missed = new Map(
            gone
              .filter((name) => !dead.includes(name))
              .map((name) => [name, missed.has(name) ? Math.max(0, (missed.get(name) ?? 0) + laterMs) : 0]),
          )
          const late = [...missed].flatMap(([name, ms]) => (ms > 2 * MINUTE ? [sentence(name)] : []))
          assert.deepEqual(awayProblems(away, nowMs).sort(), late.sort())
        }
      }),
    )
  })
})
