import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  certificatesIn,
  hasOwnHosts,
  renderCurl,
  renderHosts,
  renderServer,
  renderSettings,
  withOurs,
  withoutOurs,
} from '../../../lib/search/config.ts'
import { settingsIn } from '../../../lib/search/decide-yaml.ts'
import { searchPlace } from '../../../lib/search/options.ts'

const lines = renderSettings(
  new Map<string, string | string[]>([
    ['a.b', 'x'],
    ['c', []],
  ]),
)

describe('search: the lines of ours', () => {
  test('are settings', () => assert.equal(lines, 'a.b: "x"\nc: []\n'))
  test('are at the end, and gone again', () => {
    for (const theirs of ['', 'a: b\n', '# x\n\n', 'a:\n  b: c\n']) {
      assert.equal(withoutOurs(withOurs(theirs, lines)), theirs)
      assert.equal(withOurs(withOurs(theirs, 'z: 1\n'), lines), withOurs(theirs, lines))
    }
  })
  test('a file without an end of its last line gets one', () =>
    assert.match(withOurs('a: b', lines), /^a: b\n# Begin of what understudy/))
  test('what the operator has written after them stays', () =>
    assert.equal(withoutOurs(`a: b\n${withOurs('', lines)}c: d\n`), 'a: b\nc: d\n'))
  test('whatever the operator has is kept', () =>
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(text === '' || text.endsWith('\n'))
        assert.equal(withoutOurs(withOurs(text, lines)), text)
      }),
    ))
  test('are understood', () => {
    const read = settingsIn(withOurs('path.data: /d\n', lines))
    assert.deepEqual('settings' in read && Object.fromEntries(read.settings), {
      'path.data': '/d',
      'a.b': 'x',
      c: [],
    })
  })
})

describe('search: the list of the servers', () => {
  const seat = (address: string) => ({ machineId: 'x', address, repmgrId: 1, vipPriority: 1 })
  const text = renderHosts({ schema: 1, seats: { n2: seat('10.77.0.12'), n1: seat('10.77.0.11') } })
  test('one address a line', () =>
    assert.deepEqual(text.split('\n').slice(1), ['10.77.0.11', '10.77.0.12', '']))
  test('ours is not taken for that of the operator', () => assert.equal(hasOwnHosts(text), false))
  test('comments are nobody', () => assert.equal(hasOwnHosts('# 10.0.0.1\n\n'), false))
  test('that of the operator', () => assert.equal(hasOwnHosts('# my servers\n10.0.0.1\n'), true))
})

describe('search: how it is asked', () => {
  test('without TLS and password nothing is said', () => assert.equal(renderCurl(null, null), ''))
  test('a password is quoted', () =>
    assert.equal(renderCurl('/ca', 'u:a"b\\c'), 'cacert = "/ca"\nuser = "u:a\\"b\\\\c"\n'))
  test('what the check reads', () =>
    assert.match(renderServer('https://localhost:9200', '/ca'), /\nURL=https:\/\/localhost:9200\nCA=\/ca\n$/))
})

describe('search: whose certificate it shows', () => {
  const pem = (what: string) => `-----BEGIN ${what}-----\nMIIB+/=\n-----END ${what}-----\n`
  test('nothing but certificates is copied', () => {
    const two = pem('CERTIFICATE') + pem('CERTIFICATE')
    assert.equal(
      certificatesIn(`root:x:0:0\n${pem('CERTIFICATE')}${pem('PRIVATE KEY')}${pem('CERTIFICATE')}`),
      two,
    )
    assert.equal(certificatesIn('root:*:19000:0:99999:7:::\n'), '')
  })
})

describe('search: the options', () => {
  test('a unit and a directory', () =>
    assert.deepEqual(searchPlace({ 'search-unit': 'es.service', 'search-config': '/srv/es/' }), {
      ...{ searchUnit: 'es', searchConfig: '/srv/es' },
    }))
  test('nothing', () => assert.deepEqual(searchPlace({}), {}))
  for (const values of [{ 'search-unit': 'a b' }, { 'search-unit': '' }, { 'search-config': 'es' }])
    test(`${JSON.stringify(values)} is refused`, () =>
      assert.throws(() => searchPlace(values), { exitCode: 64 }))
})
