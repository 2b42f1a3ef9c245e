/**
 * What an event costs: each handler looks once, with all that it loads for that, on a machine on which nothing is to be done, and
 * is compared with the start of Node in the same run. Nothing else may run meanwhile, which is why it is no part of test/bundle.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, describe, test } from 'node:test'
import { handlers } from '../bundle/support/handlers.ts'
import { cannotRun, Member } from '../bundle/support/member.ts'

/** Another process can only make a run slower, so the quickest of several is what it takes. */
const RUNS = 7
const RUNS_AT_MOST = 40

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  'failover-validate': ['1'],
  // It needs a Syncthing; nobody waits for it.
  files: ['--help'],
  // They need a RabbitMQ, or a search server; nobody waits for them.
  rabbitmq: ['--help'],
  'search-members': ['--help'],
  'repmgr-event': ['1', 'standby_follow', '1', '', ''],
  'start-gate': ['17-main'],
  'virtual-ip-state': ['INSTANCE', 'understudy', 'MASTER', '150'],
}

describe('the cost of an event', { skip: cannotRun }, () => {
  if (cannotRun) return
  const member = new Member()
  after(() => member.remove())

  /** A process with an empty environment: NODE_EXTRA_CA_CERTS alone adds over 100 ms. */
  function timeMs(script: readonly string[]): number {
    const [file = '', ...args] = member.command(script)
    const started = performance.now()
    const { status, stderr } = spawnSync(file, args, { env: {}, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return performance.now() - started
  }

  for (const [name, { event }] of Object.entries(handlers)) {
    const script = [`/usr/lib/understudy/handlers/${name}`, ...(ARGUMENTS[name] ?? []), '--dry-run']
    test(`${name} takes ${event} times the start of Node at most`, (context) => {
      let node = Number.POSITIVE_INFINITY
      let handler = Number.POSITIVE_INFINITY
      // In turn, so that a busy moment meets both; longer where the machine is too busy to tell.
      for (let runs = 0; runs < RUNS || (handler > event * node && runs < RUNS_AT_MOST); runs += 1) {
        node = Math.min(node, timeMs(['-e', '0']))
        handler = Math.min(handler, timeMs(script))
      }
      const measured = `${(handler / node).toFixed(2)} times: ${handler.toFixed(0)} ms against ${node.toFixed(0)} ms`
      context.diagnostic(measured)
      assert.ok(handler <= event * node, measured)
    })
  }
})
