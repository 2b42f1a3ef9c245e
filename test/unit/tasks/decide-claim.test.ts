import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '../../../lib/consul/entry.ts'
import {
  type ClaimPlan,
  decideLock,
  decideOnce,
  type LockFacts,
  type OnceFacts,
} from '../../../lib/tasks/decide-claim.ts'
import type { Lock, TaskRecord } from '../../../lib/tasks/manifest.ts'
import { NOW } from '../support/documents.ts'

const held: Lock = { schema: 1, node: 'n2', run: 'a1', since: NOW, ttl: 15, epoch: 90, held: true }
const started: TaskRecord = {
  schema: 1,
  key: 'k',
  node: 'n2',
  run: 'a1',
  since: NOW,
  ttl: 15,
  epoch: 90,
  state: 'started',
}
const entry = <T>(value: T, session: string | null = null): Entry<T> => ({
  value,
  session,
  modifyIndex: 100,
  lockIndex: 1,
})

const lockFacts: LockFacts = { name: 'a', entry: null, freeMs: 0, delayed: false, waitedMs: 0, timeoutMs: 0 }
const locks: readonly (readonly [caption: string, facts: Partial<LockFacts>, plan: Partial<ClaimPlan>])[] = [
  ['it was never held', {}, { do: 'take', modifyIndex: 0, quietMs: 0 }],
  [
    'it was given back',
    { entry: entry({ ...held, held: false }) },
    { do: 'take', modifyIndex: 100, quietMs: 0 },
  ],
  [
    'its holder was lost: that one may still run',
    { entry: entry(held) },
    { do: 'take', modifyIndex: 100, quietMs: 15_000 },
  ],
  ['for as long as its own ttl', { entry: entry({ ...held, ttl: 60 }) }, { do: 'take', quietMs: 60_000 }],
  ['as long as was waited already', { entry: entry(held), freeMs: 14_000 }, { do: 'take', quietMs: 1000 }],
  ['and no longer', { entry: entry(held), freeMs: 99_000 }, { do: 'take', quietMs: 0 }],
  ['it is held', { entry: entry(held, 's') }, { do: 'refuse', exitCode: 75 }],
  ['it is held, and there is time', { entry: entry(held, 's'), timeoutMs: 1, waitedMs: 0 }, { do: 'wait' }],
  [
    'until it is over',
    { entry: entry(held, 's'), timeoutMs: 1, waitedMs: 1 },
    { do: 'refuse', exitCode: 75 },
  ],
  ['Consul delays it', { entry: entry(held), delayed: true }, { do: 'refuse', exitCode: 75 }],
  [
    'Consul delays it, and there is time',
    { entry: entry(held), delayed: true, timeoutMs: 9000 },
    { do: 'take' },
  ],
  [
    'another Consul: its epochs would repeat',
    { entry: entry({ ...held, epoch: 101 }) },
    { do: 'refuse', exitCode: 78 },
  ],
]
for (const [caption, facts, plan] of locks)
  test(`lock: ${caption}`, () => {
    const { why, ...decided } = decideLock({ ...lockFacts, ...facts })
    assert.ok(why)
    assert.deepEqual({ ...decided, ...plan }, decided)
  })

const onceFacts: OnceFacts = { ...lockFacts, entry: null, retryUnknown: false }
const done = { ...started, state: 'done', ended: NOW, exitCode: 0 } as const
const failed = { ...started, state: 'failed', ended: NOW, exitCode: 3 } as const
const once: readonly (readonly [caption: string, facts: Partial<OnceFacts>, plan: Partial<ClaimPlan>])[] = [
  ['it was never started', {}, { do: 'take', modifyIndex: 0, quietMs: 0 }],
  ['it is done', { entry: entry(done) }, { do: 'settled', exitCode: 0 }],
  ['it has failed', { entry: entry(failed) }, { do: 'settled', exitCode: 3 }],
  [
    'it has failed: that is not unknown',
    { entry: entry(failed), retryUnknown: true },
    { do: 'settled', exitCode: 3 },
  ],
  ['it has ended, and its session lives on', { entry: entry(done, 's') }, { do: 'settled', exitCode: 0 }],
  ['it runs', { entry: entry(started, 's') }, { do: 'refuse', exitCode: 75 }],
  [
    'it runs: that is not unknown',
    { entry: entry(started, 's'), retryUnknown: true },
    { do: 'refuse', exitCode: 75 },
  ],
  ['unknown', { entry: entry(started), freeMs: 99_000 }, { do: 'refuse', exitCode: 65 }],
  [
    'unknown, again',
    { entry: entry(started), retryUnknown: true },
    { do: 'take', modifyIndex: 100, quietMs: 15_000 },
  ],
  [
    'from another Consul, and unknown',
    { entry: entry({ ...started, epoch: 101 }), retryUnknown: true },
    { do: 'refuse', exitCode: 78 },
  ],
  [
    'from another Consul, and done',
    { entry: entry({ ...done, epoch: 101 }) },
    { do: 'settled', exitCode: 0 },
  ],
]
for (const [caption, facts, plan] of once)
  test(`once: ${caption}`, () => {
    const { why, ...decided } = decideOnce({ ...onceFacts, ...facts })
    assert.ok(why)
    assert.deepEqual({ ...decided, ...plan }, decided)
  })
