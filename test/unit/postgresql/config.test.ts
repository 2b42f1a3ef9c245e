import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  hbaLines,
  identLines,
  renderPostgresql,
  slotName,
  standbyLines,
  withManagedBlock,
} from '../../../lib/postgresql/config.ts'
import { renderConninfo } from '../../../lib/postgresql/config-conninfo.ts'
import { golden } from '../../golden/golden.ts'

golden('postgresql')

test('postgresql.conf has the port of the cluster, once', () => {
  assert.deepEqual(renderPostgresql(5433, 17).match(/^port = .*$/gm), ['port = 5433'])
})

test('each parameter is set once', () => {
  const names = renderPostgresql(5432, 17)
    .split('\n')
    .filter((line) => /^\w/.test(line))
    .map((line) => line.split(' ')[0])
  assert.deepEqual(names, [...new Set(names)])
})

test('pg_hba.conf: members by password, handlers by their system user; every map that is named is in pg_ident.conf', () => {
  const hba = hbaLines('10.77.0.0/24', 'all')
  assert.deepEqual(hba, [
    'local all postgres peer',
    'local all understudy_monitor peer map=understudy',
    'host replication repmgr 10.77.0.0/24 scram-sha-256',
    'host all repmgr,understudy_monitor,understudy_pooler 10.77.0.0/24 scram-sha-256',
    'host all "all" 10.77.0.0/24 md5',
  ])
  assert.ok(identLines().every((line) => line.startsWith('understudy ')))
})

test('a slot is named as repmgr names it', () => assert.equal(slotName(12), 'repmgr_slot_12'))

describe('standby lines', () => {
  test('quotes are doubled', () =>
    assert.equal(
      standbyLines("host=a user='x y'", 'repmgr_slot_2'),
      "primary_conninfo = 'host=a user=''x y'''\nprimary_slot_name = 'repmgr_slot_2'\nrecovery_target_timeline = 'latest'\n",
    ))

  // The configuration file's parser takes a backslash for an escape, too (guc-file.l, DeescapeQuotedString).
  test('PostgreSQL reads back what libpq is to get, with quotes and backslashes', () => {
    const value = fc.string({ unit: fc.constantFrom('a', ' ', "'", '\\', 'n', '=') })
    fc.assert(
      fc.property(value, (user) => {
        const conninfo = renderConninfo({ user })
        const [, text = ''] = /^primary_conninfo = '(.*)'$/m.exec(standbyLines(conninfo, 's')) ?? []
        assert.doesNotMatch(text, /(?<!\\)(\\\\)*\\[^\\']/, 'an escape that means something else')
        assert.equal(
          text.replace(/\\(.)|''/g, (_all, escaped: string | undefined) => escaped ?? "'"),
          conninfo,
        )
      }),
    )
  })
})

describe('managed block', () => {
  const BLOCK = '# BEGIN understudy\nours\n# END understudy\n'

  test('goes in front of what the operator has', () =>
    assert.equal(withManagedBlock('local all all peer\n', ['ours']), `${BLOCK}local all all peer\n`))
  test('an empty file', () => assert.equal(withManagedBlock('', ['ours']), BLOCK))
  test('takes the place of the one before', () =>
    assert.equal(
      withManagedBlock(withManagedBlock('theirs\n', ['old', 'lines']), ['ours']),
      `${BLOCK}theirs\n`,
    ))
  test('keeps lines that the operator put above it', () =>
    assert.equal(withManagedBlock(`above\n${BLOCK}below\n`, ['ours']), `${BLOCK}above\nbelow\n`))
  test('a block whose end is lost is left to the operator', () =>
    assert.equal(
      withManagedBlock('# BEGIN understudy\ntheirs\n', ['ours']),
      `${BLOCK}# BEGIN understudy\ntheirs\n`,
    ))

  test('a leftover end marker above it does not make the block grow', () => {
    const text = `# END understudy\n${BLOCK}theirs\n`
    const once = withManagedBlock(text, ['new'])
    assert.equal(once, '# BEGIN understudy\nnew\n# END understudy\n# END understudy\ntheirs\n')
    assert.equal(withManagedBlock(once, ['new']), once)
  })

  test('one at each end, and each takes the place of its own', () => {
    const both = (text: string, lines: string[]): string =>
      withManagedBlock(withManagedBlock(text, lines), lines, 'last')
    const once = both('theirs', ['old'])
    assert.equal(
      both(once, ['ours']),
      `${BLOCK}theirs\n# BEGIN understudy, last lines\nours\n# END understudy, last lines\n`,
    )
  })

  const line = fc.string({ unit: fc.constantFrom('a', ' ', '#', '\t') })
  const file = fc.array(line).map((lines) => lines.map((one) => `${one}\n`).join(''))
  test('twice is as once, and every line of the operator stays', () => {
    fc.assert(
      fc.property(
        file,
        fc.array(line, { minLength: 1 }),
        fc.array(line, { minLength: 1 }),
        (theirs, before, now) => {
          const once = withManagedBlock(withManagedBlock(theirs, before), now)
          assert.equal(withManagedBlock(once, now), once)
          assert.ok(once.endsWith(`# END understudy\n${theirs}`))
          assert.equal(once.split('# BEGIN understudy').length, 2)
        },
      ),
    )
  })
})
