import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type CallFacts, type CallPlan, decideCall } from '../../../lib/command/decide-call.ts'
import { decideCommandCheck } from '../../../lib/command/decide-check.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { leadOfN1, leadOfN2, lockReleased } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

const epoch = leadOfN1.primary?.index ?? 0
/** n1 is the primary, and was told so. */
const base: CallFacts = {
  node: 'n1',
  program: '/usr/local/sbin/move',
  leadership: leadOfN1,
  fenced: false,
  done: { state: 'MASTER', epoch },
}
const why = 'n1 is the primary'
const master = { do: 'call', why, state: 'MASTER', primary: 'n1', epoch } as const

const cases: readonly Case<CallFacts, CallPlan>[] = [
  ['The primary was told', {}, { do: 'nothing', why }],
  ['It was not told since the boot, or a call died', { done: null }, master],
  ['It was told that it is none', { done: { state: 'BACKUP', epoch } }, master],
  [
    'It is the primary again: another one was in between',
    { done: { state: 'MASTER', epoch: epoch - 1 } },
    master,
  ],
  [
    'A standby is told once',
    { node: 'n2', done: null },
    { do: 'call', why, state: 'BACKUP', primary: 'n1', epoch },
  ],
  ['Not for each new primary', { node: 'n2', done: { state: 'BACKUP', epoch: 1 } }, { do: 'nothing', why }],
  [
    'It is the primary no longer',
    { leadership: leadOfN2 },
    {
      ...{ do: 'call', why: 'n2 is the primary', state: 'BACKUP', primary: 'n2' },
      epoch: leadOfN2.primary?.index ?? 0,
    },
  ],
  [
    'Nobody is the primary: the address stays where it is',
    { leadership: lockReleased },
    { do: 'nothing', why: 'no machine is the primary at this moment' },
  ],
  ['Consul is silent', { leadership: UNKNOWN, done: null }, { do: 'nothing', why: 'Consul does not answer' }],
  [
    'Fenced: it gives the address up, whatever Consul says',
    { fenced: true, leadership: null },
    { do: 'call', why: 'this machine is fenced', state: 'BACKUP', primary: null, epoch },
  ],
  [
    'Fenced, and told',
    { fenced: true, leadership: null, done: { state: 'BACKUP', epoch } },
    { do: 'nothing', why: 'this machine is fenced' },
  ],
  [
    'There is no command',
    { program: null, leadership: null },
    { do: 'nothing', why: 'the cluster has no virtual IP command' },
  ],
]
describe('virtual-ip-command', () => table(decideCall, base, cases))

test('the periodic check names a command that fails, and one that is due', () => {
  const failure = {
    count: 3,
    since: '2026-01-01T00:00:00Z',
    last: '2026-01-01T00:01:00Z',
    reason: 'no route',
  }
  assert.deepEqual(decideCommandCheck({ ...base, failure: null }).problems, [])
  assert.deepEqual(decideCommandCheck({ ...base, done: null, failure: null }), {
    do: 'call',
    why,
    problems: ['the virtual IP command has to be called: n1 is the primary'],
  })
  assert.deepEqual(decideCommandCheck({ ...base, done: null, failure }).problems, [
    'the virtual IP command has failed 3 times since 2026-01-01T00:00:00Z: no route',
  ])
})
