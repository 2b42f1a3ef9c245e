import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hostNamesOf, journalctlArguments, parseLogsCommand } from '../../../lib/logs/options.ts'

const argumentsFor = (argv: readonly string[], hosts: readonly string[] = []): string[] =>
  journalctlArguments(parseLogsCommand(argv), hosts)

describe('understudy logs', () => {
  for (const [argv, hosts, expected] of [
    [[], [], ['--merge', '--lines=100']],
    [['--since', '1 hour ago'], [], ['--merge', '--since=1 hour ago']],
    [['--since', '1 hour ago', '-n', '5'], [], ['--merge', '--lines=5', '--since=1 hour ago']],
    [['--since', '-10min', '-f'], [], ['--merge', '--since=-10min', '--follow']],
    [['-S', '-1h'], [], ['--merge', '--since=-1h']],
    [['-m', 'n1'], ['n1'], ['--merge', '--lines=100', '_HOSTNAME=n1']],
    [
      ['-u', 'consul', '-f', '--json', '-n', '0'],
      [],
      ['--merge', '--lines=0', '--unit=consul', '--follow', '--output=json'],
    ],
  ] as const)
    test(`${argv.join(' ') || 'without arguments'}`, () =>
      assert.deepEqual(argumentsFor(argv, hosts), expected))

  for (const [argv, said] of [
    [['n1'], /^Unexpected argument 'n1'/],
    [['--lines', 'many'], /^--lines takes a number, not "many"$/],
    [['--lines=-1'], /^--lines takes a number, not "-1"$/],
    [['--since'], /^Option '-S, --since <value>' argument missing/],
    [['--since', '--follow'], /^Option '--since' argument is ambiguous/],
    [['--machine='], /^--machine needs a value/],
    [['--unti', 'x'], /^Unknown option '--unti'/],
  ] as const)
    test(`refuses ${argv.join(' ')}`, () => {
      assert.throws(() => parseLogsCommand(argv), { message: said, exitCode: 64 })
    })

  test('a machine is called by the first part of its host name', () => {
    const known = ['n1.example.org', 'n10', 'n2', 'n1']
    assert.deepEqual(hostNamesOf('n1', known), ['n1.example.org', 'n1'])
    assert.deepEqual(hostNamesOf('n1.example.org', known), ['n1.example.org'])
    assert.throws(() => hostNamesOf('n3', known), {
      message: 'this machine has no log of n3; it has logs of n1, n10, n2',
      exitCode: 64,
    })
  })
})
