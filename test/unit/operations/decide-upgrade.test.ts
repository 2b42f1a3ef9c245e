import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import {
  decideUpgrade,
  decideUpgradeCheck,
  type UpgradeFacts,
} from '../../../lib/operations/decide-upgrade.ts'
import { table } from '../support/table.ts'

const own = '0.2.0 of 2026-03-01T10:00:00.000Z'
const same: UpgradeFacts = { configured: own, own, parts: [], failure: null }
const failure = {
  count: 2,
  since: '2026-03-01T10:00:00.000Z',
  last: '2026-03-01T10:00:10.000Z',
  reason: 'no leader',
}

describe('upgrade: what the unit does', () => {
  table(decideUpgrade, same, [
    ['configured by this build', {}, { do: 'nothing', why: `understudy ${own}` }],
    [
      'by another build of the same version',
      { configured: '0.2.0 of 2026-02-01T10:00:00.000Z' },
      {
        do: 'configure',
        why: `configured by understudy 0.2.0 of 2026-02-01T10:00:00.000Z, and understudy ${own} is installed`,
      },
    ],
    [
      'by a newer version, before a downgrade',
      { configured: '0.3.0 of 2026-04-01T10:00:00.000Z' },
      { do: 'configure', why: '0.3.0' },
    ],
    [
      'the cluster got RabbitMQ',
      { parts: [{ title: 'RabbitMQ', here: null, cluster: 'local' }] },
      { do: 'configure', why: 'RabbitMQ is local in this cluster and not set up on this machine' },
    ],
    [
      'the cluster has RabbitMQ, and so has this machine',
      { parts: [{ title: 'RabbitMQ', here: 'local', cluster: 'local' }] },
      { do: 'nothing', why: own },
    ],
    [
      'Consul does not say what the cluster is made of',
      { parts: [{ title: 'RabbitMQ', here: null, cluster: UNKNOWN }] },
      { do: 'nothing', why: own },
    ],
    ['by a build that did not say so', { configured: null }, { do: 'configure', why: 'by an earlier build' }],
  ])
})

describe('upgrade: what the check says', () => {
  const problems = (difference: Partial<UpgradeFacts>): readonly string[] =>
    decideUpgradeCheck({ ...same, ...difference }).problems

  test('nothing where this build has configured the machine, whatever failed before', () => {
    assert.deepEqual(decideUpgradeCheck({ ...same, failure }).problems, [])
    assert.equal(decideUpgradeCheck({ ...same, failure }).do, 'nothing')
  })

  test('the unit is started, also where it has failed', () => {
    assert.equal(decideUpgradeCheck({ ...same, configured: null }).do, 'start')
    assert.equal(decideUpgradeCheck({ ...same, configured: null, failure }).do, 'start')
  })

  test('why it has failed', () => {
    assert.match(
      problems({ configured: null }).join(),
      /^this machine is configured by an earlier build, and .* installed$/,
    )
    assert.match(
      problems({ configured: null, failure }).join(),
      / installed, but 2 attempts to configure it have failed: no leader$/,
    )
  })
})
