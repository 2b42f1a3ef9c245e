import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EXIT, explain, UnderstudyError, usageError } from '../../../lib/core/errors.ts'

describe('explain', () => {
  const cases: readonly (readonly [caption: string, thrown: unknown, text: string])[] = [
    ['an error', new Error('no such file'), 'no such file'],
    ['an error with its cause', new Error('could not X', { cause: new Error('Y') }), 'could not X: Y'],
    ['a chain of causes', new Error('a', { cause: new Error('b', { cause: new Error('c') }) }), 'a: b: c'],
    ['a cause that is no error', new Error('a', { cause: 'b' }), 'a: b'],
    [
      'the short message of a program that failed',
      Object.assign(new Error('long\nstderr'), { shortMessage: 'exit code 1' }),
      'exit code 1',
    ],
    ['a short message that is none', Object.assign(new Error('long'), { shortMessage: 1 }), 'long'],
    ['something that is no error', 'text', 'text'],
    ['nothing at all', undefined, 'undefined'],
  ]
  for (const [caption, thrown, text] of cases) test(caption, () => assert.equal(explain(thrown), text))

  // What net.connect throws where each address of a name refuses: its own message is empty.
  test('several errors at once', () => {
    const thrown = new AggregateError([
      new Error('refused ::1'),
      new Error('refused 127.0.0.1', { cause: new Error('Y') }),
    ])
    assert.equal(
      explain(new Error('could not connect', { cause: thrown })),
      'could not connect: refused ::1; refused 127.0.0.1: Y',
    )
  })
  test('several errors at once, with a message for all of them', () =>
    assert.equal(explain(new AggregateError([new Error('a')], 'no address answers')), 'no address answers'))
})

describe('UnderstudyError', () => {
  test('keeps its exit code and its cause', () => {
    const cause = new Error('Y')
    const error = new UnderstudyError(EXIT.unavailable, 'could not X', { cause })
    assert.equal(error.exitCode, 69)
    assert.equal(error.cause, cause)
    assert.equal(error.name, 'UnderstudyError')
    assert.equal(explain(error), 'could not X: Y')
  })

  test('a usage error', () => assert.equal(usageError('say what').exitCode, 64))

  test('no two exit codes are the same, and all fit into a byte', () => {
    const codes = Object.values(EXIT)
    assert.equal(new Set(codes).size, codes.length)
    assert.ok(codes.every((code) => code >= 0 && code < 126))
  })
})
