/** A run of the handler `files` beside a Syncthing that does not answer yet. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Context } from '../../../lib/consul/handler.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import type { SyncthingFacts, SyncthingPlan } from '../../../lib/files/decide.ts'
import { filesRun } from '../../../lib/files/reconcile.ts'
import { settings } from '../support/settings.ts'

/** Nothing answers: no Consul, and no key of a Syncthing on this machine. */
const context = {
  settings,
  consul: {
    list: () => Promise.reject(new TypeError('a mistake')),
    get: () => Promise.reject(new TypeError('a mistake')),
  },
} as unknown as Context

test('a failure while it looks is a fact: the run goes on to its report, and ends with a failure', async () => {
  const run = filesRun()
  const facts: SyncthingFacts = await run.observe(context, { elapsedMs: 0 }, { mergeFiles: null })
  assert.deepEqual([facts.members, facts.folders, facts.syncthing], [UNKNOWN, UNKNOWN, UNKNOWN])
  const plan: SyncthingPlan = run.decide(facts)
  assert.equal(plan.do, 'nothing')
  assert.deepEqual(run.next({ facts, plan, elapsedMs: 0 }), { exitCode: 1 })
})
