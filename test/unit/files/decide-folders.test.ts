import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import * as v from 'valibot'
import { components } from '../../../lib/components.ts'
import {
  DEFAULT_PATHS,
  defaultFolders,
  ignoreProblem,
  isWithin,
  labelFor,
  labelProblem,
  overlapProblem,
  pathProblem,
  readFolders,
} from '../../../lib/files/decide-folders.ts'
import { type Folder, filesKeys } from '../../../lib/files/manifest.ts'
import { folderAt } from '../support/documents.ts'

/** Short names of few letters, so that one path is often inside another, or nearly. */
const part = fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 3 })
const partsOfPath = fc.array(
  part.filter((text) => text !== '.' && text !== '..'),
  { maxLength: 4 },
)
const pathOf = (parts: readonly string[]): string => `/${parts.join('/')}`
const anyPath = partsOfPath.map(pathOf)

describe('a path that is replicated', () => {
  const good = [
    '/opt/manager/resources',
    '/opt/mgmtworker/env/plugins',
    '/srv/files',
    '/srv/files/a b/ü',
    '/srv/.hidden',
    '/srv/a..b',
    '/home/app/uploads',
    '/home/app',
    '/var/www/html',
    '/var/lib/app',
    '/var/libs/x',
    // They only begin like a path of the system.
    '/opt/consul-files',
    '/etcetera/files',
    '/var/lib/postgresql-exports',
  ]
  for (const path of good) test(`${path} can be`, () => assert.equal(pathProblem(path), null))

  const bad: readonly (readonly [path: string, problem: RegExp])[] = [
    ['/', /path of the system/],
    ['/etc', /^\/etc is or contains a path of the system$/],
    ['/etc/app', /path of the system/],
    ...[
      ...['/bin/x', '/boot/grub', '/dev/shm/files', '/lib/modules', '/lib64/x', '/proc/self', '/root/files'],
      ...['/run/app', '/sbin/x', '/sys/kernel', '/tmp/files', '/usr/local/share/files', '/opt/consul/data'],
      ...[
        '/var/backups/x',
        '/var/cache/apt',
        '/var/log/app',
        '/var/run/app',
        '/var/spool/cron',
        '/var/tmp/x',
      ],
      ...['/var/lib/apt', '/var/lib/consul/raft', '/var/lib/dpkg/info', '/var/lib/pgbouncer/x'],
      ...['/var/lib/postgresql/17', '/var/lib/private/app', '/var/lib/systemd/x', '/var/lib/understudy/x'],
    ].map((path) => [path, /is or contains a path of the system$/] as const),
    // Above one.
    ['/var', /path of the system/],
    ['/var/lib', /path of the system/],
    ['/opt', /path of the system/],
    // Right below the root.
    ['/srv', /path of the system/],
    ['/home', /path of the system/],
    ['/data', /path of the system/],
    // Not in the one way of writing them.
    ['', /not an absolute path/],
    ['srv/files', /^srv\/files is not an absolute path$/],
    ['./srv/files', /not an absolute path/],
    ['~/files', /not an absolute path/],
    ['/srv/files/', /^\/srv\/files\/ has an empty part, "\." or "\.\."$/],
    ['//', /has an empty part/],
    ['//srv/files', /has an empty part/],
    ['/srv//files', /has an empty part/],
    ['/srv/./files', /has an empty part/],
    ['/srv/files/.', /has an empty part/],
    ['/srv/../etc', /has an empty part/],
    ['/srv/files/..', /has an empty part/],
    ['/..', /has an empty part/],
    // What is said of them is one line.
    ['/srv/a\nb', /^"\/srv\/a\\nb" has a control character$/],
    ['/srv/files\n', /^"\/srv\/files\\n" has a control character$/],
    ['/srv/a\tb', /has a control character/],
    ['/srv/a\u0000b', /has a control character/],
    ['/srv/a\u001bb', /has a control character/],
    ['/srv/a\u001fb', /has a control character/],
  ]
  for (const [path, problem] of bad)
    test(`${JSON.stringify(path)} cannot be`, () => assert.match(pathProblem(path) ?? '', problem))

  // A replicated configuration, database or key would make one machine another.
  test('none holds what belongs to this machine alone, nor lies there', () => {
    const ours = components.flatMap((component) =>
      Object.values(component.paths).map((path) =>
        typeof path === 'string' ? path : (path as (...args: unknown[]) => string)(17, 'psql'),
      ),
    )
    for (const path of ours) {
      assert.ok(path.startsWith('/'), path)
      assert.notEqual(pathProblem(path), null, path)
      for (let above = dirname(path); above !== '/'; above = dirname(above))
        assert.notEqual(pathProblem(above), null, above)
    }
  })

  test('what lies below a good path is good, and with a part of two dots it is not', () => {
    fc.assert(
      fc.property(partsOfPath, fc.nat(4), (parts, at) => {
        assert.equal(pathProblem(pathOf(['srv', 'files', ...parts])), null)
        assert.notEqual(pathProblem(pathOf(['srv', 'files', ...parts.toSpliced(at, 0, '..')])), null)
        assert.notEqual(pathProblem(pathOf(['srv', 'files', ...parts, ''])), null)
      }),
    )
  })
})

describe('a path inside another', () => {
  test('is one that begins with all parts of it', () => {
    fc.assert(
      fc.property(partsOfPath, partsOfPath, (inner, outer) => {
        const expected = outer.every((text, index) => inner[index] === text)
        assert.equal(isWithin(pathOf(inner), pathOf(outer)), expected)
      }),
    )
  })

  test('is so with whatever is below it', () => {
    fc.assert(
      fc.property(partsOfPath, partsOfPath, (outer, more) => {
        assert.equal(isWithin(pathOf([...outer, ...more]), pathOf(outer)), true)
        assert.equal(isWithin(pathOf(outer), pathOf([...outer, ...more])), more.length === 0)
      }),
    )
  })

  test('a longer name is another one', () => {
    assert.equal(isWithin('/srv/files2', '/srv/files'), false)
    assert.equal(isWithin('/srv/files', '/srv/files2'), false)
  })
})

describe('a path beside other folders', () => {
  const others = [
    ['files', folderAt('files', '/srv/files')],
    ['deep', folderAt('deep', '/home/app/a/b')],
  ] as const
  const cases: readonly (readonly [path: string, problem: string | null])[] = [
    ['/srv/files', '/srv/files is already the folder files'],
    ['/srv/files/a', '/srv/files/a is inside /srv/files, which is the folder files'],
    ['/home/app', '/home/app contains /home/app/a/b, which is the folder deep'],
    ['/srv/files2', null],
    ['/srv/file', null],
    ['/home/app/a/c', null],
  ]
  for (const [path, problem] of cases)
    test(`${path}: ${problem ?? 'fits'}`, () => assert.equal(overlapProblem(path, others), problem))

  test('where there are no others, every one fits', () =>
    assert.equal(overlapProblem('/srv/files', []), null))

  test('two have no file in common where they fit, whichever comes first', () => {
    fc.assert(
      fc.property(anyPath, anyPath, (one, other) => {
        const fits = overlapProblem(one, [['x', folderAt('x', other)]]) === null
        assert.equal(fits, !isWithin(one, other) && !isWithin(other, one))
        assert.equal(overlapProblem(other, [['x', folderAt('x', one)]]) === null, fits)
      }),
    )
  })
})

describe('the label of a folder', () => {
  const labels: readonly (readonly [path: string, label: string])[] = [
    ['/opt/manager/resources', 'resources'],
    ['/srv/My Files', 'my-files'],
    ['/srv/a_b.c-d', 'a_b.c-d'],
    ['/srv/.hidden', 'hidden'],
    ['/srv/-_.x', 'x'],
    ['/srv/a,;b', 'a-b'],
    [`/srv/${'x'.repeat(50)}`, 'x'.repeat(40)],
    // A person has to say one.
    ['/srv/+++', ''],
  ]
  for (const [path, label] of labels)
    test(`${path}: ${label || 'none'}`, () => assert.equal(labelFor(path), label))

  for (const label of ['a', '0', 'resources', 'a.b_c-d', 'x'.repeat(40)])
    test(`${label} is one`, () => assert.equal(labelProblem(label), null))
  for (const label of ['', 'A', '-a', '.a', '_a', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(41)])
    test(`${JSON.stringify(label)} is none`, () =>
      assert.ok(labelProblem(label)?.includes(`not "${label}"`), labelProblem(label) ?? 'no problem'))

  const reserved = ['constructor', 'prototype']
  for (const label of reserved)
    test(`${label} is none, though it looks like one`, () =>
      assert.equal(labelProblem(label), `the label "${label}" is reserved`))

  test('whatever the path, it looks like one or is none at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const label = labelFor(`/srv/${name}`)
        // What a path is called, a label may not be: a person has to say one.
        if (label !== '' && !reserved.includes(label)) assert.equal(labelProblem(label), null)
      }),
    )
  })
})

describe('what a folder ignores', () => {
  for (const pattern of ['*.log', '/cache', '!keep', '(?d).DS_Store', '// a comment', 'a b', 'a#b'])
    test(`${pattern} is a pattern`, () => assert.equal(ignoreProblem(pattern), null))

  const bad: readonly (readonly [pattern: string, problem: RegExp])[] = [
    ['', /one line that is not empty/],
    [' \t', /one line that is not empty/],
    ['a\nb', /one line that is not empty/],
    ['*.log\n', /one line that is not empty/],
    ['*.log ', /without blanks at its ends/],
    [' #include other', /without blanks at its ends/],
    ['a\rb', /one line/],
    ['#include other', /cannot begin with "#", as "#include other" does/],
    ['#', /cannot begin with "#"/],
  ]
  for (const [pattern, problem] of bad)
    test(`${JSON.stringify(pattern)} is none`, () => assert.match(ignoreProblem(pattern) ?? '', problem))
})

describe('the folders of the document', () => {
  const files = folderAt('files', '/srv/files', { ignore: ['*.log'], versioning: true })
  const read = (folders: Record<string, unknown>) => readFolders({ schema: 1, folders })

  test('are read as they are, in the order of their labels', () => {
    const { valid, malformed } = read({ files, a: folderAt('a', '/srv/a'), b: folderAt('b', '/srv/b') })
    assert.deepEqual([...valid.keys()], ['a', 'b', 'files'])
    assert.deepEqual(valid.get('files'), files)
    assert.deepEqual(malformed, [])
  })

  test('two labels of one folder are malformed, both of them', () => {
    const { valid, malformed } = read({
      files,
      other: { ...files, path: '/srv/other' },
      b: folderAt('b', '/srv/b'),
    })
    assert.deepEqual([...valid.keys()], ['b'])
    assert.deepEqual(malformed, ['files', 'other'])
  })
  test('one with a pattern that Syncthing should not have is malformed', () => {
    assert.deepEqual(read({ files: { ...files, ignore: ['#include /etc/x'] } }).malformed, ['files'])
  })

  test('none', () => assert.deepEqual(read({}), { valid: new Map(), malformed: [] }))

  const { id: _id, ...withoutId } = files
  const { mergeFiles: _mergeFiles, ...withoutMerge } = files
  const malformed: readonly (readonly [what: string, label: string, value: unknown])[] = [
    ['nothing', 'x', null],
    ['a text', 'x', '/srv/x'],
    ['a list', 'x', [files]],
    ['no id', 'x', withoutId],
    ['not whether files may be merged', 'x', withoutMerge],
    ['an id with capitals', 'x', { ...files, id: 'X-1' }],
    ['an id that says more', 'x', { ...files, id: 'x&device=y' }],
    ['an id of 81 characters', 'x', { ...files, id: 'x'.repeat(81) }],
    ['a path that is not absolute', 'x', { ...files, path: 'srv/x' }],
    ['an owner by number', 'x', { ...files, owner: 0 }],
    ['a mode by number', 'x', { ...files, mode: 755 }],
    ['a mode of three digits', 'x', { ...files, mode: '755' }],
    ['a mode that is not octal', 'x', { ...files, mode: '0788' }],
    ['one pattern instead of a list', 'x', { ...files, ignore: '*.log' }],
    ['a pattern that is no text', 'x', { ...files, ignore: [1] }],
    ['versioning that is neither', 'x', { ...files, versioning: 'yes' }],
    ['a label that is none', 'X Y', files],
    ['no label', '', files],
  ]
  for (const [what, label, value] of malformed) {
    test(`one that holds ${what} does not hide the others`, () => {
      const found = read({ z: folderAt('z', '/srv/z'), [label]: value, a: folderAt('a', '/srv/a') })
      assert.deepEqual([...found.valid.keys()], ['a', 'z'])
      assert.deepEqual(found.malformed, [label])
    })
  }
})

describe('the folders of a new cluster', () => {
  let made = 0
  const directory = { owner: 'app', group: 'web', mode: '0750' }
  const document = defaultFolders(
    DEFAULT_PATHS.map((path) => [path, directory] as const),
    () => `id${made++}`,
  )
  const { valid, malformed } = readFolders(document)
  const all: Folder[] = [...valid.values()]

  test('are the two that every cluster has', () =>
    assert.deepEqual(
      [...valid].map(([label, { path }]) => [label, path]),
      [
        ['plugins', '/opt/mgmtworker/env/plugins'],
        ['resources', '/opt/manager/resources'],
      ],
    ))

  test('belong to whom their directories belong to', () => {
    for (const { owner, group, mode } of all) assert.deepEqual({ owner, group, mode }, directory)
  })

  test('are all well-formed, can be replicated, and fit beside each other', () => {
    assert.deepEqual(v.parse(filesKeys.folders.schema, document), document)
    assert.deepEqual(malformed, [])
    for (const { path } of all) assert.equal(pathProblem(path), null)
    for (const [label, { path }] of valid) {
      const others = [...valid].filter(([other]) => other !== label)
      assert.equal(overlapProblem(path, others), null)
    }
  })

  test('have ids of their own, which say whose they are', () => {
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length)
    for (const [label, { id }] of valid) assert.match(id, new RegExp(`^${label}-id\\d$`))
  })

  // Files of a machine that joins are taken in only where a person has said so.
  test('take nothing in, ignore nothing, and keep no versions', () => {
    for (const folder of all) {
      assert.equal(folder.mergeFiles, false)
      assert.equal(folder.versioning, false)
      assert.deepEqual(folder.ignore, [])
    }
  })
})
