import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseLockCommand, parseOnceCommand } from '../../../lib/tasks/options.ts'

describe('understudy lock', () => {
  test('the defaults', () =>
    assert.deepEqual(parseLockCommand(['a.b_c-1', '--', 'true']), {
      ...{ kind: 'lock', name: 'a.b_c-1', timeoutMs: 0, ttlS: 15, argv: ['true'], unit: null },
    }))
  test('what follows -- is not ours', () =>
    assert.deepEqual(
      parseLockCommand(['a', '--timeout', '5', '--ttl=60', '--', 'x', '--timeout', '--', '']),
      {
        ...{
          kind: 'lock',
          name: 'a',
          timeoutMs: 5000,
          ttlS: 60,
          argv: ['x', '--timeout', '--', ''],
          unit: null,
        },
      },
    ))
  test('a unit instead of a command', () =>
    assert.deepEqual(parseLockCommand(['a', '--unit', 'rest']), {
      ...{ kind: 'lock', name: 'a', timeoutMs: 0, ttlS: 15, unit: 'rest.service' },
      argv: ['/usr/lib/understudy/handlers/locked-unit', 'rest.service'],
    }))
  const errors: readonly (readonly [argv: string[], error: RegExp])[] = [
    [['a', '--unit', 'rest', '--', 'true'], /give either --unit or a COMMAND/],
    [['a', '--unit='], /--unit takes the name of a service of systemd, not ""/],
    [['a', '--unit', 'rest@'], /--unit takes/],
    [['a', '--unit', 'rest.timer'], /--unit takes the name of a service of systemd, not "rest.timer"/],
    [['a', '--unit', 'a b'], /--unit takes/],
    [[], /say what to run, after --/],
    [['a'], /say what to run, after --/],
    [['a', '--'], /say what to run, after --/],
    [['a', '--', ''], /say what to run, after --/],
    [['--', 'true'], /name the lock/],
    [['a', 'b', '--', 'true'], /unexpected argument b; COMMAND follows --/],
    [['a', '--surprise', '--', 'true'], /Unknown option '--surprise'/],
    [
      ['a', '--timeout', 'soon', '--', 'true'],
      /--timeout takes a number of seconds from 0 to 86400, not "soon"/,
    ],
    [['a', '--timeout=-1', '--', 'true'], /--timeout takes/],
    [['a', '--timeout=', '--', 'true'], /--timeout takes/],
    [['a', '--ttl', '14', '--', 'true'], /--ttl takes a number of seconds from 15 to 60, not "14"/],
    [['a', '--ttl', '61', '--', 'true'], /--ttl takes/],
    [['', '--', 'true'], /a name consists of up to 63/],
    [['.a', '--', 'true'], /a name consists/],
    [['a/b', '--', 'true'], /a name consists/],
    [['..', '--', 'true'], /a name consists/],
    [['A', '--', 'true'], /a name consists/],
    [['ä', '--', 'true'], /a name consists/],
    [['a\n', '--', 'true'], /a name consists/],
    [['a'.repeat(64), '--', 'true'], /a name consists/],
    [['x'.repeat(10_000), '--', 'true'], /a name consists/],
  ]
  for (const [argv, error] of errors)
    test(`wrong: ${argv.join(' ').slice(0, 60)}`, () =>
      assert.throws(
        () => parseLockCommand(argv),
        (thrown: Error & { exitCode?: number }) => {
          assert.equal(thrown.exitCode, 64)
          assert.match(thrown.message, error)
          assert.ok(thrown.message.length < 250, 'one sentence')
          return true
        },
      ))
})

describe('understudy once', () => {
  test('a task', () =>
    assert.deepEqual(parseOnceCommand(['a', 'Key of\nanything: ü', '--retry-unknown', '--', 'true', '-x']), {
      ...{ kind: 'once', name: 'a', key: 'Key of\nanything: ü', retryUnknown: true, argv: ['true', '-x'] },
    }))
  test('the states', () => {
    assert.deepEqual(parseOnceCommand(['status', 'a']), { kind: 'status', name: 'a', key: null, json: false })
    assert.deepEqual(parseOnceCommand(['status', 'a', 'k', '--json']), {
      kind: 'status',
      name: 'a',
      key: 'k',
      json: true,
    })
  })
  const errors: readonly (readonly [argv: string[], error: RegExp])[] = [
    [['a', '--', 'true'], /name the task/],
    [['a', 'k', 'l', '--', 'true'], /unexpected argument l/],
    [['a', 'k'], /say what to run, after --/],
    [['a', '', '--', 'true'], /the key must not be empty/],
    [['a', 'x'.repeat(10_000), '--', 'true'], /a key has up to 1024 bytes, not 10000; use a digest of it/],
    [['a', 'ü'.repeat(513), '--', 'true'], /not 1026;/],
    [['a b', 'k', '--', 'true'], /a name consists/],
    [['--retry-unknown', 'status', 'k', '--', 'true'], /a task cannot be named status/],
    [['status'], /name the tasks to show/],
    [['status', 'A'], /a name consists/],
    [['status', 'a', 'x'.repeat(10_000)], /a key has/],
    [['status', 'a', 'k', 'l'], /unexpected argument l/],
  ]
  for (const [argv, error] of errors)
    test(`wrong: ${argv.join(' ').slice(0, 60)}`, () => assert.throws(() => parseOnceCommand(argv), error))
})
