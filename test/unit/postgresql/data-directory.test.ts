import assert from 'node:assert/strict'
import fs, { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { makeStandby } from '../../../lib/postgresql/data-directory.ts'

/** What was synced to disk, in its order: the path, and the text of a file at that moment. */
const synced: { path: string; text: string | null }[] = []
const fsync = fs.fsyncSync
fs.fsyncSync = (file) => {
  fsync(file)
  const path = readlinkSync(`/proc/self/fd/${file}`)
  synced.push({ path, text: fs.fstatSync(file).isFile() ? readFileSync(path, 'utf8') : null })
}
syncBuiltinESMExports()
after(() => {
  fs.fsyncSync = fsync
  syncBuiltinESMExports()
})

describe('a stopped data directory becomes a standby', () => {
  let directory = ''
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'understudy-data-')), 'main')
    mkdirSync(directory)
    writeFileSync(`${directory}/postgresql.auto.conf`, "work_mem = '8MB'\n")
    synced.length = 0
  })
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }))

  const make = (): void =>
    makeStandby(directory, { node: 'n1', repmgrId: 1 }, { host: '10.77.0.12', port: 5432 })

  test('it starts as a standby of the given primary, and keeps its other settings', () => {
    make()
    const settings = readFileSync(`${directory}/postgresql.auto.conf`, 'utf8')
    assert.match(settings, /^work_mem = '8MB'\nprimary_conninfo = '.*host=10\.77\.0\.12 /)
    assert.match(settings, /\nprimary_slot_name = 'repmgr_slot_1'\n/)
    assert.equal(readFileSync(`${directory}/standby.signal`, 'utf8'), '')
  })

  test('both files and the directory survive a power cut, the settings before the signal', () => {
    make()
    assert.deepEqual(
      synced.map(({ path }) => path),
      [`${directory}/postgresql.auto.conf`, `${directory}/standby.signal`, directory],
    )
    assert.match(synced[0]?.text ?? '', /recovery_target_timeline = 'latest'\n$/)
  })
})
