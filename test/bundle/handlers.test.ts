/** Each built handler as a black box on a machine that has not joined. */
import assert from 'node:assert/strict'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { paths } from '../../lib/core/paths.ts'
import { built, handlers, Installed, logged, repository, run, scripts } from './support/handlers.ts'

/** Never reached from a handler: what only people need of a manifest; pg's native driver, and its sockets on Cloudflare. */
const NEVER_LOADED = ['./check.ts', './join.ts', './status.ts', 'pg-native', 'cloudflare:sockets']

/** PostgreSQL of a machine that has not joined is none of our business, repmgr has events during a join, and dpkg upgrades anywhere. */
const UNJOINED = ['files-gate', 'files-view', 'rabbitmq-gate', 'repmgr-event', 'start-gate', 'upgrade']

/** Arguments that are right, where a handler wants some. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  'failover-validate': ['1'],
  'virtual-ip-state': ['INSTANCE', 'understudy', 'MASTER', '150'],
  'repmgr-event': ['1', 'standby_promote', '1', '2026-01-02', ''],
  'start-gate': ['17-main'],
}

const wrongArguments: readonly (readonly [handler: string, args: readonly string[], error: RegExp])[] = [
  ...Object.keys(handlers)
    .filter((name) => !(name in RIGHT))
    .map((name) => [name, ['--surprise'], /unexpected argument --surprise/] as const),
  ['failover', ['--must-promote', 'now'], /unexpected argument now/],
  ['failover-validate', [], /expected the candidate's repmgr id, got: nothing/],
  ['failover-validate', ['--surprise'], /got: --surprise/],
  ['failover-validate', ['0'], /got: 0/],
  ['failover-validate', ['1.5'], /got: 1\.5/],
  ['virtual-ip-state', ['--surprise'], /expected INSTANCE NAME MASTER\|.*, got: --surprise/],
  ['start-gate', [], /expected VERSION-CLUSTER, got: nothing/],
  ['start-gate', ['--surprise'], /expected VERSION-CLUSTER, got: --surprise/],
  ['start-gate', ['main'], /expected VERSION-CLUSTER, got: main/],
  ['virtual-ip-state', ['INSTANCE', 'understudy', 'ELSEWHERE', '100'], /ELSEWHERE/],
  ['repmgr-event', [], /expected NODE_ID EVENT SUCCESS TIME DETAILS, got event: nothing/],
  ['repmgr-event', ['1', 'rm -rf', '1', '', ''], /got event: rm -rf/],
]

const installed = new Installed()
after(() => installed.remove())

test('every handler in the sources is built and has a budget', () => {
  const sources = readdirSync(join(repository, 'handlers')).map((file) => file.replace(/\.ts$/, ''))
  assert.deepEqual(readdirSync(built).sort(), sources.sort())
  assert.deepEqual(Object.keys(handlers).sort(), sources)
})

for (const [name, file] of Object.entries(scripts)) {
  test(`${name} is a script that its interpreter understands, of few lines`, async () => {
    const text = readFileSync(join(repository, 'packaging', file), 'utf8')
    const lines = text.split('\n')
    const isShell = file.endsWith('.sh')
    assert.equal(lines[0], isShell ? '#!/bin/sh' : '#!/usr/bin/perl')
    assert.ok(lines.length < (isShell ? 50 : 160), `${lines.length} lines`)
    const input = text.replace("'/usr/lib/understudy/ask.pl'", `'${join(repository, 'packaging/ask.pl')}'`)
    const { exitCode, stderr } = await run(isShell ? '/bin/sh' : '/usr/bin/perl', [isShell ? '-n' : '-wc'], {
      input,
    })
    assert.deepEqual([exitCode, stderr], [0, isShell ? '' : '- syntax OK'])
  })
}

for (const name of [
  ...[
    'database-changed',
    'files-changed',
    'files-start',
    'leader-released',
    'locked-unit',
    'service-check',
    'services-changed',
  ],
]) {
  test(`${name} --help`, async () => {
    const script = join(repository, `packaging/${name}.sh`)
    const { exitCode, stdout, stderr } = await run('/bin/sh', [script, '--help'])
    assert.deepEqual([exitCode, stderr], [0, ''])
    assert.ok(stdout.startsWith(`${name}: `), stdout)
  })
}

for (const [name, budget] of Object.entries(handlers)) {
  describe(name, () => {
    const file = join(built, name)
    const text = readFileSync(file, 'utf8')

    test('names its interpreter and is executable', () => {
      assert.equal(text.slice(0, text.indexOf('\n')), '#!/usr/bin/node')
      accessSync(file, constants.X_OK)
      assert.equal(statSync(file).mode & 0o777, 0o755)
    })

    test('needs nothing but Node', () => {
      const wanted = [...text.matchAll(/\b(?:require|import)\(\s*(["'`])([^"'`]*)\1\s*\)/g)].map(
        ([, , module]) => module ?? '',
      )
      const foreign = wanted.filter(
        (module) => !builtinModules.includes(module.replace(/^node:/, '')) && !NEVER_LOADED.includes(module),
      )
      assert.ok(wanted.includes('node:fs'), 'the search found nothing')
      assert.deepEqual(foreign, [])
    })

    // Nobody waits for these: they run programs with execa, whose import takes half as long as the start of Node. The start gate
    // imports it only where no lock is held.
    if (!['files', 'rabbitmq', 'rejoin', 'search-members', 'start-gate', 'upgrade'].includes(name))
      test('does not carry execa', () => assert.ok(!text.includes('execa')))
    test('carries neither zx nor a client of Consul from npm', () =>
      assert.doesNotMatch(text, /node_modules\/(zx|consul|papi)\//))
    test(`is smaller than ${budget.kilobytes} kB`, () =>
      assert.ok(text.length < budget.kilobytes * 1000, `${Math.round(text.length / 1000)} kB`))

    test('--help', async () => {
      const { exitCode, stdout, stderr } = await installed.run(name, ['--help'])
      assert.equal(exitCode, 0)
      assert.match(stdout, new RegExp(`^${name}\\b.*\n.*[Cc]alled by`, 's'))
      assert.equal(stderr, '')
    })

    test('--help, run as its caller does, by its shebang', {
      skip: !existsSync('/usr/bin/node'),
    }, async () => {
      const { exitCode } = await run(installed.path(name), ['--help'])
      assert.equal(exitCode, 0)
    })

    test('before a join', { skip: existsSync(paths.node) && 'this machine is a member' }, async () => {
      const { exitCode, stdout, stderr } = await installed.run(name, RIGHT[name] ?? [])
      assert.equal(stdout, '')
      if (UNJOINED.includes(name)) {
        assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' })
        return
      }
      assert.equal(exitCode, 78)
      const [line, ...more] = logged(stderr)
      assert.deepEqual([line?.['handler'], more], [name, []])
      assert.match(String(line?.['error']), /not a member of a cluster; run understudy join first/)
    })
  })
}

describe('wrong arguments', () => {
  for (const [name, args, error] of wrongArguments) {
    test(`${name} ${args.join(' ') || '(none)'}`, async () => {
      const { exitCode, stdout, stderr } = await installed.run(name, args)
      assert.deepEqual({ exitCode, stdout }, { exitCode: 64, stdout: '' })
      const [line, ...more] = logged(stderr)
      assert.deepEqual(more, [])
      assert.equal(line?.['handler'], name)
      assert.match(String(line?.['error']), error)
    })
  }
})
