import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { changeFile, makeOwned, readText, replaceFile } from '../../../lib/core/atomic-files.ts'

let directory = ''
let path = ''
/** Gives each test of a suite a directory of its own. */
function inDirectory(): void {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'files-'))
    path = join(directory, 'file')
  })
  afterEach(() => rmSync(directory, { recursive: true }))
}
const modeOf = (name = path): number => statSync(name).mode & 0o7777

describe('readText', () => {
  inDirectory()

  test('the text of a file', () => {
    writeFileSync(path, 'text\n')
    assert.equal(readText(path), 'text\n')
  })
  test('null where there is none', () => assert.equal(readText(path), null))
  test('anything else is an error', () => assert.throws(() => readText(directory), { code: 'EISDIR' }))
})

describe('changeFile', () => {
  inDirectory()
  const asRoot = { skip: process.getuid?.() !== 0 }
  const add = (text: string): string => `${text}more\n`

  test('makes a file that is missing', () => {
    assert.equal(changeFile(path, add, { mode: 0o640 }), true)
    assert.equal(readFileSync(path, 'utf8'), 'more\n')
    assert.equal(modeOf(), 0o640)
  })

  test('keeps mode and owner of a file that is there', asRoot, () => {
    writeFileSync(path, 'text\n')
    chmodSync(path, 0o600)
    chownSync(path, 1234, 1235)
    assert.equal(changeFile(path, add, { uid: 0, gid: 0, mode: 0o644 }), true)
    assert.equal(readFileSync(path, 'utf8'), 'text\nmore\n')
    assert.equal(modeOf(), 0o600)
    assert.deepEqual([statSync(path).uid, statSync(path).gid], [1234, 1235])
    assert.equal(
      changeFile(path, (text) => text),
      false,
    )
  })

  test('follows a link, and leaves it there', () => {
    mkdirSync(join(directory, 'elsewhere'))
    writeFileSync(join(directory, 'elsewhere', 'real'), 'text\n', { mode: 0o600 })
    symlinkSync('real', join(directory, 'elsewhere', 'link'))
    symlinkSync('elsewhere/link', path)
    changeFile(path, add, { mode: 0o644 })
    assert.ok(lstatSync(path).isSymbolicLink())
    assert.ok(lstatSync(join(directory, 'elsewhere', 'link')).isSymbolicLink())
    assert.equal(readFileSync(join(directory, 'elsewhere', 'real'), 'utf8'), 'text\nmore\n')
    assert.equal(modeOf(), 0o600)
    assert.deepEqual(readdirSync(join(directory, 'elsewhere')).sort(), ['link', 'real'])
  })

  test('refuses a link that somebody else may turn', asRoot, () => {
    writeFileSync(join(directory, 'real'), 'text\n')
    symlinkSync('real', path)
    lchownSync(path, 1234, 1234)
    assert.throws(() => changeFile(path, add), { exitCode: 78, message: /file is a link of somebody else/ })
    assert.equal(readFileSync(path, 'utf8'), 'text\n')
  })

  test('refuses links in a circle', () => {
    symlinkSync('file', path)
    assert.throws(() => changeFile(path, add), { exitCode: 78, message: /file is a link that leads nowhere/ })
  })
})

describe('replaceFile', () => {
  inDirectory()

  test('makes a file, world-readable unless another mode is given', () => {
    assert.equal(replaceFile(path, 'text\n'), true)
    assert.equal(readFileSync(path, 'utf8'), 'text\n')
    assert.equal(modeOf(), 0o644)
  })

  test('does nothing where the text is there: the very same file stays', () => {
    replaceFile(path, 'text\n')
    const before = statSync(path)
    assert.equal(replaceFile(path, 'text\n'), false)
    assert.equal(statSync(path).ino, before.ino)
    assert.equal(statSync(path).mtimeMs, before.mtimeMs)
  })

  test('another text comes as another file: a reader of the old one is not disturbed', () => {
    replaceFile(path, 'old, and longer\n')
    const before = statSync(path)
    assert.equal(replaceFile(path, 'new\n'), true)
    assert.equal(readFileSync(path, 'utf8'), 'new\n')
    assert.notEqual(statSync(path).ino, before.ino)
  })

  test('the mode is the one that was asked for, whatever the umask', () => {
    const umask = process.umask(0o077)
    try {
      replaceFile(path, 'text\n', { mode: 0o644 })
      assert.equal(modeOf(), 0o644)
    } finally {
      process.umask(umask)
    }
  })

  test('a wrong mode alone is corrected', () => {
    replaceFile(path, 'secret\n', { mode: 0o644 })
    assert.equal(replaceFile(path, 'secret\n', { mode: 0o600 }), true)
    assert.equal(modeOf(), 0o600)
  })

  test('a wrong owner alone is corrected', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
    replaceFile(path, 'secret\n', { mode: 0o600 })
    assert.equal(replaceFile(path, 'secret\n', { mode: 0o600, uid: 65534, gid: 65534 }), true)
    assert.deepEqual([statSync(path).uid, statSync(path).gid], [65534, 65534])
  })

  test('a wrong group alone is corrected', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
    replaceFile(path, 'secret\n', { uid: 0, gid: 0 })
    assert.equal(replaceFile(path, 'secret\n', { uid: 0, gid: 65534 }), true)
    assert.equal(statSync(path).gid, 65534)
    assert.equal(replaceFile(path, 'secret\n', { uid: 0, gid: 65534 }), false)
    assert.equal(replaceFile(path, 'secret\n'), false, 'any owner is fine where none is asked for')
  })

  test('a long text is written to its end', () => {
    const text = 'ä'.repeat(3_000_000)
    replaceFile(path, text)
    assert.equal(readFileSync(path, 'utf8'), text)
  })

  test('the owner is the one that was asked for', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
    replaceFile(path, 'text\n', { uid: 65534, gid: 65534 })
    assert.deepEqual([statSync(path).uid, statSync(path).gid], [65534, 65534])
  })

  test('nothing is left beside it', () => {
    replaceFile(path, 'one\n')
    replaceFile(path, 'two\n')
    assert.deepEqual(readdirSync(directory), ['file'])
  })

  const failures: readonly (readonly [caption: string, fail: () => void])[] = [
    ['the mode cannot be set', () => replaceFile(path, 'new\n', { mode: -1 })],
    ['the owner cannot be set', () => replaceFile(path, 'new\n', { uid: -2, gid: -2 })],
  ]
  for (const [caption, fail] of failures) {
    test(`where ${caption} the old file stays, and no temporary one`, () => {
      writeFileSync(path, 'old\n')
      assert.throws(fail)
      assert.equal(readFileSync(path, 'utf8'), 'old\n')
      assert.deepEqual(readdirSync(directory), ['file'])
    })
  }

  test('a missing directory is an error, not made', () => {
    assert.throws(() => replaceFile(join(directory, 'missing', 'file'), 'text\n'), { code: 'ENOENT' })
  })

  test('a directory in its place is an error and stays', () => {
    mkdirSync(path)
    assert.throws(() => replaceFile(path, 'text\n'), { code: 'EISDIR' })
    assert.deepEqual(readdirSync(directory), ['file'])
  })

  test('a link that somebody has planted at the name of the temporary file is not followed', () => {
    const victim = join(directory, 'victim')
    writeFileSync(victim, 'precious\n', { mode: 0o600 })
    symlinkSync(victim, `${path}.${process.pid}.tmp`)
    replaceFile(path, 'new\n', { mode: 0o666 })
    assert.equal(readFileSync(victim, 'utf8'), 'precious\n')
    assert.equal(modeOf(victim), 0o600)
    assert.equal(lstatSync(path).isFile(), true, 'the planted link was moved into place')
  })

  test('a link in place of the file is replaced, although it leads to the same text', () => {
    const target = join(directory, 'target')
    writeFileSync(target, 'text\n', { mode: 0o644 })
    symlinkSync(target, path)
    assert.equal(replaceFile(path, 'text\n'), true)
    assert.equal(lstatSync(path).isFile(), true)
  })

  // A write near the end of the space succeeds in part (write(2)); `ulimit -f` does to a file what a full disk does.
  test('where the disk is full the old file stays: never a part of the new one', () => {
    writeFileSync(path, 'old\n')
    const module = new URL('../../../lib/core/atomic-files.ts', import.meta.url).href
    const script = `import { replaceFile } from '${module}'
      try { replaceFile(process.env.TARGET, 'x'.repeat(10000)) } catch (error) { console.log(error.code) }`
    const shell = `ulimit -f 8; exec "$0" --import tsx --input-type=module --eval "$1"`
    // A report of coverage would not fit, either.
    const env = { ...process.env, NODE_V8_COVERAGE: '', TARGET: path, TMPDIR: directory }
    const out = execFileSync('bash', ['-c', shell, process.execPath, script], { env, encoding: 'utf8' })
    assert.equal(readFileSync(path, 'utf8').length, 4, 'the file was replaced')
    assert.equal(out.trim(), 'EFBIG')
  })
})

describe('makeOwned', () => {
  inDirectory()
  const us = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

  test('makes a directory with this mode, whatever the umask', () => {
    const umask = process.umask(0o077)
    try {
      makeOwned(path, { ...us, mode: 0o2775 })
    } finally {
      process.umask(umask)
    }
    assert.equal(statSync(path).isDirectory(), true)
    assert.equal(modeOf(), 0o2775)
  })

  test('makes those above it as well, in the same way, and leaves nothing beside them', () => {
    const deep = join(path, 'a', 'b')
    makeOwned(deep, { ...us, mode: 0o750 })
    for (const made of [path, join(path, 'a'), deep]) assert.equal(modeOf(made), 0o750, made)
    assert.deepEqual(readdirSync(directory, { recursive: true }).sort(), ['file', 'file/a', 'file/a/b'])
  })

  test('all have the owner that was asked for', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
    makeOwned(join(path, 'a'), { uid: 65534, gid: 65533, mode: 0o755 })
    for (const made of [path, join(path, 'a')])
      assert.deepEqual([statSync(made).uid, statSync(made).gid], [65534, 65533], made)
  })

  test('one that is there stays as it is, and so do those above it', () => {
    mkdirSync(join(path, 'a'), { recursive: true, mode: 0o700 })
    writeFileSync(join(path, 'a', 'text'), 'text')
    const before = statSync(join(path, 'a'))
    makeOwned(join(path, 'a'), { ...us, mode: 0o777 })
    makeOwned(join(path, 'a', 'b'), { ...us, mode: 0o777 })
    assert.equal(statSync(join(path, 'a')).ino, before.ino)
    assert.equal(modeOf(join(path, 'a')), 0o700)
    assert.equal(modeOf(path), 0o700)
    assert.equal(modeOf(join(path, 'a', 'b')), 0o777)
    assert.equal(readFileSync(join(path, 'a', 'text'), 'utf8'), 'text')
  })

  const failures: readonly (readonly [caption: string, options: Parameters<typeof makeOwned>[1]])[] = [
    ['the mode cannot be set', { ...us, mode: -1 }],
    ['the owner cannot be set', { uid: -2, gid: -2, mode: 0o755 }],
  ]
  for (const [caption, options] of failures) {
    test(`where ${caption} there is nothing of that name, and it can be tried again`, () => {
      assert.throws(() => makeOwned(path, options))
      assert.equal(existsSync(path), false)
      makeOwned(path, { ...us, mode: 0o755 })
      assert.equal(modeOf(), 0o755)
      assert.deepEqual(readdirSync(directory), ['file'])
    })
  }

  test('a link that somebody has planted at the name of the temporary directory is not followed', () => {
    const victim = join(directory, 'victim')
    mkdirSync(victim, { mode: 0o700 })
    symlinkSync(victim, `${path}.understudy.tmp`)
    makeOwned(path, { ...us, mode: 0o777 })
    assert.equal(modeOf(victim), 0o700)
    assert.equal(lstatSync(path).isDirectory(), true, 'the planted link was moved into place')
  })

  test('what is in its place stays as it is, also a link that leads nowhere', () => {
    symlinkSync('nowhere', path)
    makeOwned(path, { ...us, mode: 0o755 })
    assert.equal(readlinkSync(path), 'nowhere')
  })

  test('a file above it is an error', () => {
    writeFileSync(path, 'text')
    assert.throws(() => makeOwned(join(path, 'a'), { ...us, mode: 0o755 }), { code: 'ENOTDIR' })
    assert.equal(readFileSync(path, 'utf8'), 'text')
  })
})
