import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decideRun, type RunFacts, type RunPlan } from '../../../lib/postgresql/decide-run.ts'

/** A run that waits, and has time. */
const base: RunFacts = {
  step: 'wait',
  until: null,
  failed: false,
  aftermath: null,
  elapsedMs: 1000,
  deadlineMs: 1000,
}
const late = { elapsedMs: 1001 }
const again = (afterMs: number): RunPlan => ({ do: 'again', afterMs })
const end = (outcome: 'primary' | 'other' | 'undecided'): RunPlan => ({ do: 'end', outcome })

const cases: readonly (readonly [caption: string, difference: Partial<RunFacts>, plan: RunPlan])[] = [
  ['it waits', {}, again(50)],
  ['it has given the lock back', { step: 'unlock' }, again(50)],
  ['it has stopped the WAL receivers of others', { step: 'stop-other-receivers' }, again(50)],
  ['it has stopped its own: the next look sees it', { step: 'stop-receiver' }, again(0)],
  ['it has tried to take the lock', { step: 'lock' }, again(0)],
  ['it has handed the lock to a lasting session', { step: 'adopt' }, again(0)],
  ['it has promoted', { step: 'promote' }, again(0)],
  ['it has published', { step: 'publish' }, again(0)],
  ['a step has failed', { step: 'promote', failed: true }, again(500)],
  ['a wait after a step that failed', { failed: true }, again(500)],
  ['its time is over', late, end('undecided')],
  ['its time is over, whatever the step', { step: 'lock', ...late }, end('undecided')],
  ['its time is over, and a step has failed', { step: 'promote', failed: true, ...late }, end('undecided')],
  ['it was to go so far', { step: 'promote', until: 'promote' }, end('primary')],
  ['it was to go so far, which took long', { step: 'promote', until: 'promote', ...late }, end('primary')],
  ['it was to go farther', { step: 'lock', until: 'promote' }, again(0)],
  [
    'this machine is the primary, and the upkeep is done',
    { step: 'settled', aftermath: 'done' },
    end('primary'),
  ],
  ['the upkeep took long', { step: 'settled', aftermath: 'done', ...late }, end('primary')],
  ['this machine has lost the lock meanwhile: look again', { step: 'settled', aftermath: 'lost' }, again(0)],
  [
    'it has lost the lock, and its time is over',
    { step: 'settled', aftermath: 'lost', ...late },
    end('primary'),
  ],
  ['another machine is the primary', { step: 'settled', aftermath: 'followed' }, end('other')],
  [
    'another one is, and following took long',
    { step: 'leave', aftermath: 'followed', ...late },
    end('other'),
  ],
  ['another machine gave the lock back: look again', { step: 'settled', aftermath: 'free' }, again(0)],
  ['it gave it back late: look again', { step: 'settled', aftermath: 'free', ...late }, again(0)],
  ['an earlier step had failed', { step: 'settled', aftermath: 'free', failed: true }, again(0)],
]

describe('whether a run of the gate is over', () => {
  for (const [caption, difference, plan] of cases)
    test(caption, () => assert.deepEqual(decideRun({ ...base, ...difference }), plan))
})
