/** The rule of docs/adr/0025-schema-numbers.md. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as v from 'valibot'
import { parseEntry, parseListing } from '../../../lib/consul/document.ts'
import { namesIn } from '../../../lib/consul/entry.ts'
import { UnderstudyError } from '../../../lib/core/errors.ts'
import { key } from '../../../lib/core/key.ts'
import { raw } from '../support/consul.ts'

const thing = key(
  'things/a',
  v.object({ schema: v.literal(3), size: v.number(), part: v.object({ schema: v.literal(1) }) }),
)
const good = { schema: 3, size: 1, part: { schema: 1 } }

type Case = readonly [caption: string, text: string, expected: number | RegExp]
const cases: readonly Case[] = [
  ['the number that we write', JSON.stringify(good), 3],
  ['a field that we do not know', JSON.stringify({ ...good, colour: 'red' }), 3],
  ['a higher number, with all that we need', JSON.stringify({ ...good, schema: 7, colour: 'red' }), 7],
  [
    'a higher number, without something that we need',
    JSON.stringify({ schema: 4, length: 1, part: { schema: 1 } }),
    /^Consul's key understudy\/things\/a was written by a newer understudy \(schema 4\); upgrade this machine$/,
  ],
  [
    'a higher number, and a field of another type',
    JSON.stringify({ ...good, schema: 4, size: '1' }),
    /newer understudy \(schema 4\)/,
  ],
  ['a lower number', JSON.stringify({ ...good, schema: 2 }), /is malformed .*Expected 3 but received 2/],
  ['a number that is none', JSON.stringify({ ...good, schema: '4' }), /is malformed/],
  ['a fraction', JSON.stringify({ ...good, schema: 3.5 }), /is malformed/],
  ['no number', JSON.stringify({ size: 1 }), /is malformed/],
  ['our number, but a field is missing', JSON.stringify({ schema: 3 }), /is malformed .*size/],
  ['a number inside that is higher', JSON.stringify({ ...good, part: { schema: 9 } }), /is malformed/],
  ['a list', '[4]', /is malformed/],
  ['null', 'null', /is malformed/],
  ['no JSON', '{"schema":4', /is malformed/],
]

describe('one document', () => {
  for (const [caption, text, expected] of cases) {
    test(caption, () => {
      const read = () => parseEntry(thing, raw('understudy/things/a', text))
      if (expected instanceof RegExp) {
        assert.throws(read, (error) => {
          assert.ok(error instanceof UnderstudyError)
          assert.equal(error.exitCode, 65)
          assert.match(error.message, /Consul's key understudy\/things\/a /)
          assert.match(error.message, expected)
          return true
        })
        return
      }
      const { value, newerSchema } = read()
      assert.deepEqual(value, good)
      assert.equal(newerSchema ?? 3, expected)
    })
  }

  test('no value', () =>
    assert.throws(() => parseEntry(thing, raw('understudy/things/a', null)), /is malformed/))
})

test('a list names all entries, those that can be read and those that cannot', () => {
  const listing = parseListing(thing, [
    ['a', raw('x/a', JSON.stringify(good))],
    ['b', raw('x/b', '{"schema":9}')],
    ['c', raw('x/c', '')],
  ])
  assert.deepEqual([...listing.valid.keys()], ['a'])
  assert.deepEqual(listing.malformed, ['b', 'c'])
  assert.match(
    listing.problems.join('\n'),
    /^Consul's key x\/b was written by a newer .*\n.*x\/c is malformed/,
  )
  assert.deepEqual(namesIn(listing), ['a', 'b', 'c'])
})
