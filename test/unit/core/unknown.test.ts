import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decideServiceTag } from '../../../lib/consul/decide-service-tag.ts'
import { currentPrimary } from '../../../lib/consul/leadership.ts'
import { EXIT, UnderstudyError } from '../../../lib/core/errors.ts'
import { orUnknown, UNKNOWN, unknownInJson } from '../../../lib/core/unknown.ts'
import { decideLead } from '../../../lib/operations/decide-lead.ts'
import { lock, published } from '../support/documents.ts'

describe('what could not be read', () => {
  test('a service that does not answer is UNKNOWN; any other failure stays an error', async () => {
    const fails = (exitCode: UnderstudyError['exitCode']) =>
      Promise.reject(new UnderstudyError(exitCode, 'no'))
    assert.equal(await orUnknown(fails(EXIT.unavailable)), UNKNOWN)
    for (const code of [EXIT.failed, EXIT.data, EXIT.config, EXIT.retry])
      await assert.rejects(orUnknown(fails(code)), { exitCode: code })
    await assert.rejects(orUnknown(Promise.reject(new TypeError('a bug'))), TypeError)
    assert.equal(await orUnknown(Promise.resolve('unknown')), 'unknown')
  })

  test('in JSON it is a word', () =>
    assert.equal(
      JSON.stringify({ lag: UNKNOWN, name: 'n1' }, unknownInJson),
      '{"lag":"unknown","name":"n1"}',
    ))

  test('a machine may be called unknown', () => {
    const leadership = { leader: lock('unknown', 'a', 7), primary: published('unknown', 4, 7) }
    assert.equal(currentPrimary(leadership)?.node, 'unknown')
    const { primary } = leadership
    assert.equal(decideServiceTag({ node: 'unknown', primary, tags: ['unknown'] }).tag, 'primary')
    const run = {
      followed: true,
      followedEpoch: null,
      addressMoved: false,
      heldMs: 0,
      pooledMs: 0,
      elapsedMs: 0,
    }
    assert.equal(decideLead({ ...run, leadership }).why, 'unknown is the primary now')
  })
})
