import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { throughProbe } from '../../../lib/consul/probe.ts'

/** An address of this machine that nothing else listens at: the member that the joining machine was given. */
const MEMBER = '127.7.7.7'
const SERF_PORT = 8301

const member = createServer((socket) => socket.destroy())
const { PATH } = process.env
const directories: string[] = []

before(() => new Promise<void>((resolve) => member.listen(SERF_PORT, MEMBER, resolve)))
after(() => member.close())
afterEach(() => {
  process.env['PATH'] = PATH
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

/** Puts a shell script in the place of the program `consul`. */
function consulIs(script: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-probe-test-'))
  directories.push(directory)
  writeFileSync(join(directory, 'consul'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(directory, 'consul'), 0o755)
  process.env['PATH'] = `${directory}:${PATH}`
}

const probe = (): Promise<unknown> => throughProbe([MEMBER], 'n9', async () => 'a cluster')

describe('a temporary agent that ends before it has joined is an error that says what it printed last', () => {
  const cases: readonly (readonly [caption: string, script: string, why: RegExp])[] = [
    ['it is killed by a signal', 'echo "out of memory" >&2; kill -KILL $$', /out of memory/],
    ['it ends by itself', 'echo "==> Failed to parse probe.json"; exit 1', /Failed to parse probe\.json/],
    ['it says nothing', 'exit 1', /it printed nothing/],
  ]
  for (const [caption, script, why] of cases) {
    test(caption, { timeout: 12_000 }, async () => {
      consulIs(script)
      const started = performance.now()
      await assert.rejects(probe(), (error: Error & { exitCode?: number }) => {
        assert.equal(error.exitCode, 69)
        assert.match(error.message, /127\.7\.7\.7/)
        assert.match(error.message, why)
        return true
      })
      assert.ok(performance.now() - started < 3000, 'nobody waits for an agent that has gone')
    })
  }

  test('there is no such program', { timeout: 12_000 }, async () => {
    process.env['PATH'] = '/nonexistent'
    await assert.rejects(probe(), { name: 'UnderstudyError', exitCode: 69, message: /setpriv/ })
  })
})

describe('a member in another datacenter says which one, and the next agent is in it', () => {
  const DATACENTER = `datacenter=$(sed -n 's/.*"datacenter": "\\(.*\\)".*/\\1/p' "\${2#-config-file=}")`
  const turnedAway = (datacenter: string): string =>
    `echo "* Failed to join 127.7.7.7: Member 'n1' part of wrong datacenter '${datacenter}'"; exec sleep 60`

  test('of a cluster of its own', { timeout: 12_000 }, async () => {
    consulIs(
      `${DATACENTER}; if [ "$datacenter" = dc1 ]; then ${turnedAway('understudy-0a1b2c3d')}; fi; echo "in $datacenter"; exit 1`,
    )
    await assert.rejects(probe(), { exitCode: 69, message: /in understudy-0a1b2c3d$/ })
  })

  test('one that says another one each time', { timeout: 12_000 }, async () => {
    consulIs(`${DATACENTER}; ${turnedAway('not-$datacenter')}`)
    await assert.rejects(probe(), { exitCode: 69, message: /different datacenters: not-dc1 and not-not-dc1/ })
  })
})
