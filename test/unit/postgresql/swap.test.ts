import assert from 'node:assert/strict'
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { removeReplaced, swap } from '../../../lib/postgresql/swap.ts'
import { incomingOf } from '../../../lib/postgresql/tablespaces.ts'

const PART = 'PG_17_202406281'
const VERSION = 17

/** The changes of the file system that are left before the power goes. */
let changesLeft = Number.POSITIVE_INFINITY
const real = {
  renameSync: fs.renameSync,
  rmSync: fs.rmSync,
  rmdirSync: fs.rmdirSync,
  symlinkSync: fs.symlinkSync,
  unlinkSync: fs.unlinkSync,
}
const cut =
  <A extends unknown[]>(work: (...args: A) => unknown) =>
  (...args: A): unknown => {
    if (changesLeft === 0) throw new Error('power cut')
    changesLeft--
    return work(...args)
  }
Object.assign(
  fs,
  Object.fromEntries(Object.entries(real).map(([name, work]) => [name, cut(work as () => unknown)])),
)
syncBuiltinESMExports()
after(() => {
  Object.assign(fs, real)
  syncBuiltinESMExports()
})

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'understudy-swap-'))
})
afterEach(() => {
  changesLeft = Number.POSITIVE_INFINITY
  rmSync(root, { recursive: true })
})
const at = (path: string): string => join(root, path)
const directories = () => ({
  current: at('main'),
  incoming: at('main.incoming'),
  outgoing: at('main.outgoing'),
})

/** A data directory with tablespaces, whose files all say what they belong to. */
function make(directory: string, text: string, places: readonly string[], mapped = false): void {
  mkdirSync(join(directory, 'pg_tblspc'), { recursive: true })
  writeFileSync(join(directory, 'PG_VERSION'), text)
  for (const [index, place] of places.entries()) {
    const target = mapped ? incomingOf(at(place)) : at(place)
    mkdirSync(join(target, PART), { recursive: true })
    writeFileSync(join(target, PART, 'table'), text)
    symlinkSync(target, join(directory, 'pg_tblspc', String(16384 + index)))
  }
}

/** As pg_basebackup leaves it, after whatever a run before has left was removed. */
function copy(places: readonly string[]): void {
  rmSync(at('main.incoming'), { recursive: true, force: true })
  for (const place of places) rmSync(incomingOf(at(place)), { recursive: true, force: true })
  make(at('main.incoming'), 'new', places, true)
}

/** What a data directory and its tablespaces say, through its links; null if there is none. */
const read = (directory: string): string[] | null =>
  existsSync(at(directory))
    ? [
        readFileSync(at(`${directory}/PG_VERSION`), 'utf8'),
        ...readdirSync(at(`${directory}/pg_tblspc`)).map((link) =>
          readFileSync(at(`${directory}/pg_tblspc/${link}/${PART}/table`), 'utf8'),
        ),
      ]
    : null

/** Every file that holds the old data. */
const oldData = (): string[] =>
  (readdirSync(root, { recursive: true, withFileTypes: true }) as fs.Dirent[])
    .filter((entry) => entry.isFile() && readFileSync(join(entry.path, entry.name), 'utf8') === 'old')
    .map(({ name }) => name)
    .sort()

describe('a copy is swapped in', () => {
  const places = ['fast', 'slow']

  test('with its tablespaces; what was there is gone from them, and kept aside until it is removed', () => {
    make(at('main'), 'old', places)
    copy(places)
    swap(directories(), VERSION)
    assert.deepEqual(read('main'), ['new', 'new', 'new'])
    assert.deepEqual(oldData(), ['PG_VERSION', 'table', 'table'])
    removeReplaced(directories())
    assert.deepEqual(oldData(), [])
    for (const place of places) assert.deepEqual(readdirSync(at(place)), [PART])
    assert.deepEqual(readdirSync(root).sort(), ['fast', 'main', 'slow'])
  })

  test('where the primary has dropped a tablespace, and made another one', () => {
    make(at('main'), 'old', ['fast', 'dropped'])
    copy(['fast', 'made'])
    swap(directories(), VERSION)
    assert.deepEqual(read('main'), ['new', 'new', 'new'])
    removeReplaced(directories())
    assert.deepEqual(oldData(), [])
    assert.deepEqual(readdirSync(at('dropped')), [])
  })

  test('where there was nothing', () => {
    copy(places)
    swap(directories(), VERSION)
    removeReplaced(directories())
    assert.deepEqual(read('main'), ['new', 'new', 'new'])
  })

  test('what another major version has in the same directory stays', () => {
    make(at('main'), 'old', ['fast'])
    mkdirSync(at('fast/PG_15_202209061'))
    copy(['fast'])
    swap(directories(), VERSION)
    removeReplaced(directories())
    assert.deepEqual(readdirSync(at('fast')).sort(), ['PG_15_202209061', PART])
  })

  test('a power cut at any point leaves the old data, all of it, or the new; copied again, it is whole', () => {
    let cuts = 0
    for (let first = 0; ; first++) {
      let ended = false
      for (const second of [0, 1, 2, 3, 5, 8]) {
        rmSync(root, { recursive: true })
        mkdirSync(root)
        make(at('main'), 'old', places)
        for (const limit of [first, second]) {
          copy(places)
          changesLeft = limit
          try {
            swap(directories(), VERSION)
            if (limit === first) ended = true
          } catch {
            cuts++
          }
          changesLeft = Number.POSITIVE_INFINITY
          const now = read('main')
          assert.ok(
            now === null || new Set(now).size === 1,
            `half of each after ${first} and ${second}: ${now}`,
          )
          if (now?.[0] !== 'new')
            assert.deepEqual(
              oldData(),
              ['PG_VERSION', 'table', 'table'],
              `old data is lost after ${first} and ${second}`,
            )
        }
        copy(places)
        swap(directories(), VERSION)
        removeReplaced(directories())
        assert.deepEqual(read('main'), ['new', 'new', 'new'], `after ${first} and ${second}`)
        assert.deepEqual(oldData(), [])
      }
      if (ended) break
    }
    assert.ok(cuts > 50, `only ${cuts} power cuts`)
  })
})
