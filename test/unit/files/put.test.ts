import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { writeFile as writeText } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../../lib/core/wait.ts'
import type { SharedFolder } from '../../../lib/files/api.ts'
import { checkSource, isStill, type Place, placeOf, writeFile } from '../../../lib/files/put.ts'

let top = ''
let folder: SharedFolder
before(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'understudy-put-')))
  mkdirSync(join(top, 'folder/sub'), { recursive: true })
  mkdirSync(join(top, 'outside'))
  symlinkSync(join(top, 'outside'), join(top, 'folder/away'))
  symlinkSync(join(top, 'folder'), join(top, 'link'))
  writeFileSync(join(top, 'source'), 'new')
  chmodSync(join(top, 'source'), 0o640)
  folder = { id: 'f-1', label: 'f', path: join(top, 'folder'), paused: false, devices: [] }
})
after(() => rmSync(top, { recursive: true }))

const place = (destination: string, source = join(top, 'source')) =>
  placeOf(source, join(top, destination), [folder])

describe('where a file is put', () => {
  const places: readonly (readonly [destination: string, path: string])[] = [
    ['folder/x', 'x'],
    ['folder', 'source'],
    ['folder/', 'source'],
    ['folder/sub', 'sub/source'],
    ['folder/sub/', 'sub/source'],
    ['folder/sub/x', 'sub/x'],
    ['folder/sub/../x', 'x'],
    ['folder/Pr\u00fcfung', 'Pr\u00fcfung'],
    [`folder/${'x'.repeat(255)}`, 'x'.repeat(255)],
    ['folder/a\nb', 'a\nb'],
    ['folder/sub/.stignore', 'sub/.stignore'],
    // A link that leads into the folder.
    ['link/x', 'x'],
  ]
  for (const [destination, path] of places) {
    test(`${destination} is ${path}`, () => {
      assert.deepEqual(place(destination), { folder, path, file: join(top, 'folder', path) })
    })
  }
  const refused: readonly (readonly [destination: string, says: RegExp])[] = [
    ['outside/x', /outside\/x is not in a replicated folder; the folders are: .*folder$/],
    ['folder/../outside/x', /is not in a replicated folder/],
    // What a link in the folder leads to is not replicated.
    ['folder/away/x', /outside\/x is not in a replicated folder/],
    ['folderx', /is not in a replicated folder/],
    ['folder/none/x', /there is no directory .*none; make it first/],
    ['folder/none/', /there is no directory .*none; make it first/],
    ['folder/Pru\u0308fung', /Pru\u0308fung cannot be replicated: its name is not in composed Unicode/],
    // What Node.js makes of an argument that is not UTF-8.
    ['folder/bad\ufffdname', /its name is not UTF-8/],
    [`folder/${'x'.repeat(256)}`, /a name has at most 255 bytes/],
    [`folder/${'ü'.repeat(128)}`, /a name has at most 255 bytes/],
    [`folder/${'x'.repeat(256)}/y`, /there is no directory/],
    ['folder/.stignore', /\.stignore cannot be replicated: Syncthing keeps that name for itself/],
    ['folder/.syncthing.x.tmp', /Syncthing keeps that name/],
    ['folder/a\n\u001b[31mu\u0308', /^a\\n\\u001b\[31m/],
  ]
  for (const [destination, says] of refused)
    test(`not ${destination}`, () => assert.throws(() => place(destination), { exitCode: 64, message: says }))
  test('standard input has no name for a directory', () => {
    assert.throws(() => place('folder/sub', '-'), { exitCode: 64, message: /is a directory; name the file/ })
  })
})

test('what can be put: a file, and standard input', () => {
  checkSource(join(top, 'source'))
  checkSource('-')
  assert.throws(() => checkSource(join(top, 'none')), { exitCode: 64, message: /there is no file/ })
  assert.throws(() => checkSource(join(top, 'folder')), { exitCode: 64, message: /is not a file/ })
})

describe('how it is written', () => {
  test('a new file has the mode of its source', async () => {
    const to = place('folder/sub/made')
    const written = await writeFile(join(top, 'source'), to)
    assert.equal(readFileSync(to.file, 'utf8'), 'new')
    assert.equal(statSync(to.file).mode & 0o7777, 0o640)
    assert.ok(isStill(written, to))
    assert.deepEqual(readdirSync(join(top, 'folder/sub')), ['made'])
  })
  test('one that replaces another has the mode of that, and is another file', async () => {
    const to = place('folder/replaced')
    writeFileSync(to.file, 'old')
    chmodSync(to.file, 0o604)
    const before = statSync(to.file)
    const written = await writeFile(join(top, 'source'), to)
    assert.equal(statSync(to.file).mode & 0o7777, 0o604)
    assert.ok(!isStill(before, to))
    assert.ok(isStill(written, to))
  })
  test('what somebody else has changed, or removed, is no longer what we have written', async () => {
    const to = place('folder/changed')
    const written = await writeFile(join(top, 'source'), to)
    utimesSync(to.file, 1, 1)
    assert.ok(!isStill(written, to))
    rmSync(to.file)
    assert.ok(!isStill(written, to))
  })
  test('where it fails, what was there still is, and nothing else', async () => {
    const to = place('folder/kept')
    writeFileSync(to.file, 'old')
    // A directory cannot be read as a file.
    await assert.rejects(writeFile(join(top, 'outside'), to), {
      exitCode: 1,
      message: /what was there before is unchanged/,
    })
    assert.equal(readFileSync(to.file, 'utf8'), 'old')
    assert.ok(readdirSync(join(top, 'folder')).every((name) => !name.startsWith('.syncthing.')))
  })
})

describe('what somebody plants while it is written', () => {
  /** Begins to write from a pipe; `swap` runs when the temporary file is there, and only then the source ends. */
  async function writeWhile(to: Place, swap: (temporary: string) => void) {
    const pipe = join(top, 'pipe')
    execFileSync('mkfifo', [pipe])
    try {
      const writing = writeFile(pipe, to)
      const isTemporary = (name: string) => name.startsWith('.syncthing.understudy-')
      const directory = dirname(to.file)
      const temporary = await waitFor('the temporary file', 5000, async () => {
        const name = readdirSync(directory).find(isTemporary)
        return name === undefined ? null : join(directory, name)
      })
      swap(temporary)
      const [result] = await Promise.allSettled([writing, writeText(pipe, 'new')])
      return result
    } finally {
      rmSync(pipe)
    }
  }
  const victimIn = (directory: string): string => {
    const victim = join(directory, 'victim')
    writeFileSync(victim, 'precious')
    chmodSync(victim, 0o600)
    return victim
  }

  test('a link in place of the destination directory is not followed', async () => {
    mkdirSync(join(top, 'folder/moved'))
    const to = place('folder/moved/made')
    rmdirSync(join(top, 'folder/moved'))
    symlinkSync(join(top, 'outside'), join(top, 'folder/moved'))
    await assert.rejects(writeFile(join(top, 'source'), to), { exitCode: 1, message: /could not write/ })
    assert.deepEqual(readdirSync(join(top, 'outside')), [])
  })

  test('nor one that comes in its place before the file is renamed', async () => {
    mkdirSync(join(top, 'folder/swapped'))
    const result = await writeWhile(place('folder/swapped/made'), () => {
      renameSync(join(top, 'folder/swapped'), join(top, 'kept'))
      symlinkSync(join(top, 'kept'), join(top, 'folder/swapped'))
    })
    assert.equal(result?.status, 'rejected')
    assert.deepEqual(readdirSync(join(top, 'kept')), [], 'it was written outside the folder')
  })

  test('a link in place of the temporary file: what it leads to keeps its mode and owner', async () => {
    mkdirSync(join(top, 'folder/planted'))
    const victim = victimIn(top)
    const to = place('folder/planted/made')
    const result = await writeWhile(to, (temporary) => {
      rmSync(temporary)
      symlinkSync(victim, temporary)
    })
    assert.equal(statSync(victim).mode & 0o7777, 0o600)
    assert.equal(readFileSync(victim, 'utf8'), 'precious')
    assert.ok(result?.status === 'fulfilled' && !isStill(result.value, to), 'the link passes for the file')
  })

  test('a link in place of the file is replaced, and gives it neither mode nor owner', async () => {
    const victim = victimIn(join(top, 'outside'))
    symlinkSync(victim, join(top, 'folder/linked'))
    const to = place('folder/linked')
    await writeFile(join(top, 'source'), to)
    assert.ok(lstatSync(to.file).isFile())
    assert.equal(statSync(to.file).mode & 0o7777, 0o640, 'the mode is not that of the source')
    assert.equal(readFileSync(victim, 'utf8'), 'precious')
  })
})
