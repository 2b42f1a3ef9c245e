import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { whyNotReplaced } from '../../../lib/postgresql/decide-directory.ts'
import { lookAtPlace } from '../../../lib/postgresql/place.ts'

describe('what lies where a copy of the primary would go', () => {
  const root = mkdtempSync(join(tmpdir(), 'understudy-place-'))
  after(() => rmSync(root, { recursive: true }))
  const at = (name: string): string => join(root, name)
  for (const name of ['main/pg_wal', 'main/pg_tblspc', 'elsewhere']) mkdirSync(at(name), { recursive: true })
  // A tablespace is no such link, and a file is what a copy has.
  symlinkSync(at('elsewhere'), at('main/pg_tblspc/16384'))
  writeFileSync(at('elsewhere/server.key'), '')
  symlinkSync(at('elsewhere/server.key'), at('main/server.key'))
  const why = (name = 'main'): string | null => whyNotReplaced(lookAtPlace(at(name)))

  test('a directory, or none: it can be replaced', () => {
    assert.equal(why(), null)
    assert.equal(why('missing'), null)
  })

  test('a link to another place', () => {
    symlinkSync(at('main'), at('link'))
    assert.match(why('link') ?? '', /link is a link, which a copy of the primary could not replace; stop it/)
  })

  test('a directory in it is a link, also where its disk is not mounted', () => {
    rmSync(at('main/pg_wal'), { recursive: true })
    for (const target of ['elsewhere', 'not-mounted']) {
      symlinkSync(at(target), at('main/pg_wal'))
      assert.match(why() ?? '', /^\S*main\/pg_wal in the data of PostgreSQL is a link/)
      rmSync(at('main/pg_wal'))
    }
  })
})
