import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RANDOM_ITERATIONS, scramSecret } from '../../../lib/postgresql/scram.ts'

describe('SCRAM secret', () => {
  test('has the form in which PostgreSQL takes it for a secret, not for a password', () =>
    assert.match(
      scramSecret('app', 'password'),
      /^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/,
    ))
  test('of a random password takes one iteration', () =>
    assert.match(scramSecret('repmgr', 'password', RANDOM_ITERATIONS), /^SCRAM-SHA-256\$1:/))
  test('every machine computes the same one', () =>
    assert.equal(scramSecret('app', 'password'), scramSecret('app', 'password')))
  test('another user or another password has another one, salt included', () => {
    const salts = [scramSecret('app', 'a'), scramSecret('app', 'b'), scramSecret('repmgr', 'a')].map(
      (text) => text.split('$')[1],
    )
    assert.equal(new Set(salts).size, 3)
  })
})
