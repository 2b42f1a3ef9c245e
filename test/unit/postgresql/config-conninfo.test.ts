import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { renderConninfo, renderPassfile } from '../../../lib/postgresql/config-conninfo.ts'

const PATIENCE =
  'connect_timeout=2 tcp_user_timeout=2000 keepalives_idle=1 keepalives_interval=1 keepalives_count=2'

describe('conninfo', () => {
  test('plain values stand as they are', () =>
    assert.equal(
      renderConninfo({ host: '/var/run/postgresql', port: 5432 }),
      `host=/var/run/postgresql port=5432 ${PATIENCE}`,
    ))

  test('a longer timeout is not possible', () =>
    assert.equal(renderConninfo({ connect_timeout: 60 }), PATIENCE))

  const quoted: readonly (readonly [value: string, text: string])[] = [
    ['', "''"],
    ['two words', "'two words'"],
    ["it's", "'it\\'s'"],
    ['back\\slash', "'back\\\\slash'"],
    ['a=b', "'a=b'"],
  ]
  for (const [value, text] of quoted) {
    test(`${JSON.stringify(value)} is written as ${text}`, () =>
      assert.equal(renderConninfo({ user: value }), `user=${text} ${PATIENCE}`))
  }

  test('libpq reads back every value', () => {
    const value = fc.string({ unit: fc.constantFrom('a', ' ', "'", '\\', '=', '.', '\t', '"') })
    fc.assert(
      fc.property(value, value, (user, dbname) => {
        const read = parseConninfo(renderConninfo({ user, dbname }))
        assert.equal(read.get('user'), user)
        assert.equal(read.get('dbname'), dbname)
      }),
    )
  })
})

/** libpq's conninfo_parse, as its manual describes it. */
function parseConninfo(text: string): Map<string, string> {
  const found = new Map<string, string>()
  const pair = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/gsy
  for (const [, name = '', quoted, plain = ''] of text.matchAll(pair)) {
    found.set(name, (quoted ?? plain).replace(/\\(.)/gs, '$1'))
  }
  return found
}

describe('password file', () => {
  test('one line for any host, port and database', () =>
    assert.equal(renderPassfile('repmgr', 'secret'), '*:*:*:repmgr:secret\n'))

  test('":" and "\\" are escaped, nothing else', () =>
    assert.equal(renderPassfile('a:b', 'c\\d:e f\'"'), '*:*:*:a\\:b:c\\\\d\\:e f\'"\n'))

  test('libpq finds five fields, whatever the password', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ':', '\\', ' ') }), (password) => {
        const [line = ''] = renderPassfile('repmgr', `${password}|`).split('\n')
        const parts = line.match(/(?:[^:\\]|\\.)+/g) ?? []
        assert.deepEqual(parts.slice(0, 4), ['*', '*', '*', 'repmgr'])
        assert.equal((parts[4] ?? '').replace(/\\(.)/g, '$1'), `${password}|`)
        assert.equal(parts.length, 5)
      }),
    )
  })
})
