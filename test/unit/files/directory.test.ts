import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { DirectoryFact } from '../../../lib/files/decide.ts'
import { inspectDirectory, walk } from '../../../lib/files/directory.ts'

let base = ''
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'directory-')))
})
afterEach(() => rmSync(base, { recursive: true }))

/** Makes files, and a directory where a name ends so. */
function make(...names: readonly string[]): void {
  for (const name of names) {
    const path = join(base, name)
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true })
    if (!name.endsWith('/')) writeFileSync(path, name)
  }
}
const inspect = (name: string, owner = 'root', group = 'root'): Promise<DirectoryFact> =>
  inspectDirectory({ path: join(base, name), owner, group })

describe('what is at the path of a folder', () => {
  const cases: readonly (readonly [caption: string, names: readonly string[], fact: DirectoryFact])[] = [
    ['nothing', [], { state: 'missing', ownerExists: true }],
    ['an empty directory', ['files/'], { state: 'empty' }],
    [
      'a directory with what Syncthing keeps in it',
      ['files/.stfolder/marker', 'files/.stignore', 'files/.stversions/a', 'files/.stfolder.removed-1/'],
      { state: 'empty' },
    ],
    [
      'a name that only begins as one of Syncthing does',
      ['files/.stfolder-notes/'],
      { state: 'used', entries: 1, example: '.stfolder-notes' },
    ],
    ['a file in it', ['files/a'], { state: 'used', entries: 1, example: 'a' }],
    ['a hidden file in it', ['files/.a'], { state: 'used', entries: 1, example: '.a' }],
    ['an empty directory in it', ['files/a/'], { state: 'used', entries: 1, example: 'a' }],
    [
      'a file beside what Syncthing keeps in it',
      ['files/.stfolder/', 'files/.stignore', 'files/z'],
      { state: 'used', entries: 1, example: 'z' },
    ],
  ]
  for (const [caption, names, fact] of cases) {
    test(caption, async () => {
      make(...names)
      assert.deepEqual(await inspect('files'), fact)
    })
  }

  test('many files are counted at the top, and one of them is named', async () => {
    make('files/a/b/c', 'files/d', 'files/e')
    const fact = await inspect('files')
    assert.equal(fact.state, 'used')
    assert.equal(fact.entries, 3)
    assert.ok(['a', 'd', 'e'].includes(fact.example))
  })

  test('nothing, nor above it', async () =>
    assert.deepEqual(await inspect('a/b/c'), { state: 'missing', ownerExists: true }))

  for (const [owner, group] of [
    ['no-such-user', 'root'],
    ['root', 'no-such-group'],
    ['no-such-user', 'no-such-group'],
  ] as const) {
    test(`nothing, and it could not belong to ${owner}:${group}`, async () =>
      assert.deepEqual(await inspect('files', owner, group), { state: 'missing', ownerExists: false }))
  }

  test('where there is a directory its owner is nobody’s concern', async () => {
    make('files/')
    assert.deepEqual(await inspect('files', 'no-such-user', 'no-such-group'), { state: 'empty' })
  })

  const unusable: readonly (readonly [caption: string, prepare: () => void, path: string, why: RegExp])[] = [
    ['a file', () => make('files'), 'files', /\/files is not a directory$/],
    [
      'a link to a directory',
      () => {
        make('real/')
        symlinkSync(join(base, 'real'), join(base, 'files'))
      },
      'files',
      /\/files is a link to .*\/real$/,
    ],
    [
      'a link to nothing',
      () => symlinkSync(join(base, 'real'), join(base, 'files')),
      'files',
      /\/files is a broken link$/,
    ],
    [
      'a directory below a link',
      () => {
        make('real/files/')
        symlinkSync(join(base, 'real'), join(base, 'link'))
      },
      'link/files',
      /\/link\/files is a link to .*\/real\/files$/,
    ],
    ['a path below a file', () => make('a'), 'a/files', /\/a\/files cannot be read: ENOTDIR/],
    [
      'a path below a link to itself',
      () => symlinkSync(join(base, 'loop'), join(base, 'loop')),
      'loop/files',
      /cannot be read: ELOOP/,
    ],
  ]
  for (const [caption, prepare, path, why] of unusable) {
    test(`${caption} is not usable`, async () => {
      prepare()
      const fact = await inspect(path)
      assert.equal(fact.state, 'unusable')
      assert.match(fact.why, why)
    })
  }
})

describe('conflict files', () => {
  const CONFLICT = 'a.sync-conflict-20260102-030405-ABCDEFG.txt'
  const cases: readonly (readonly [caption: string, names: readonly string[], count: number])[] = [
    ['none', ['files/a', 'files/b/c', 'files/sync-conflict', 'files/a.sync-conflict'], 0],
    ['in the folder itself', [`files/${CONFLICT}`, 'files/a.txt'], 1],
    ['deeper', [`files/b/c/d/${CONFLICT}`, `files/b/${CONFLICT}`, `files/${CONFLICT}`], 3],
    ['of a file without an extension', ['files/a.sync-conflict-20260102-030405-ABCDEFG'], 1],
    ['in what Syncthing keeps: they are old versions', [`files/.stversions/b/${CONFLICT}`], 0],
    [
      'in a directory with such a name: the files in it count',
      [`files/${CONFLICT}/a`, `files/${CONFLICT}/${CONFLICT}`],
      1,
    ],
  ]
  for (const [caption, names, count] of cases) {
    test(`${caption}: ${count}`, () => {
      make(...names)
      assert.equal(walk(join(base, 'files')).conflicts, count)
    })
  }

  test('the directory is gone: 0', () => assert.equal(walk(join(base, 'files')).conflicts, 0))

  test('links are not followed: 0', () => {
    make(`real/${CONFLICT}`, 'files/')
    symlinkSync(join(base, 'real'), join(base, 'files', 'link'))
    symlinkSync(join(base, 'files'), join(base, 'files', 'loop'))
    assert.equal(walk(join(base, 'files')).conflicts, 0)
  })

  test('a directory that cannot be looked at is an error, not none', () => {
    make('files')
    assert.throws(() => walk(join(base, 'files')).conflicts, { code: 'ENOTDIR' })
  })
})

test('sockets, pipes and devices are named, but not what is ignored, nor links to them', () => {
  make('a/file', 'b/')
  for (const name of ['a/pipe', 'b/pipe', 'ignored.pipe']) execFileSync('mkfifo', [join(base, name)])
  symlinkSync(join(base, 'a/pipe'), join(base, 'link'))
  const isIgnored = (name: string): boolean => name.endsWith('.pipe')
  assert.deepEqual(walk(base, isIgnored).special, { count: 2, example: 'a/pipe' })
  assert.equal(walk(join(base, 'b'), () => true).special, null)
})

test('nothing below a link is unusable: it would be made where the link leads to', async () => {
  make('real/')
  symlinkSync(join(base, 'real'), join(base, 'link'))
  assert.deepEqual(await inspect('link/files/new'), {
    state: 'unusable',
    why: `${base}/link/files/new is below ${base}/link, which is a link or below one`,
  })
})

test('nor is what is below a link that leads nowhere', async () => {
  symlinkSync(join(base, 'nowhere'), join(base, 'link'))
  assert.equal((await inspect('link/new')).state, 'unusable')
})

test('a file that Syncthing is only fetching is no conflict', () => {
  make('a/.syncthing.b.sync-conflict-20260101-000000-ABCDEFG.txt.tmp')
  assert.equal(walk(base).conflicts, 0)
})
