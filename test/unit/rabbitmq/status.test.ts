import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Check } from '../../../lib/consul/client.ts'
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { parseEnable } from '../../../lib/consul/optional-part.ts'
import type { Reading } from '../../../lib/core/reading.ts'
import type { ValueOrGap } from '../../../lib/core/status.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { section } from '../../../lib/rabbitmq/status.ts'

type Of = NonNullable<typeof section.machineFields>
type RabbitmqSeen = Parameters<Of>[1]

const valueOrGap: ValueOrGap = (_machine, _what, reading) => ('value' in reading ? reading.value : UNKNOWN)
const check = (status: Check['status']): Check => ({
  ...{ node: 'n1', checkId: 'rabbitmq', service: 'rabbitmq', status, output: '' },
})
const seen = (
  checks: Reading<readonly Check[]>,
  config: object | null = { rabbitmq: 'local' },
): RabbitmqSeen =>
  ({
    consul: {
      checks,
      members: { value: [{ name: 'n1', address: '10.77.0.11', alive: true, server: true }] },
      leader: { value: '10.77.0.11:18300' },
      config: config === null ? { why: 'no answer' } : { value: { key: consulKeys.config, value: config } },
    },
  }) as unknown as RabbitmqSeen

/** What the table says of a machine. */
function cell(checks: Reading<readonly Check[]>): string {
  const member = { name: 'n1', address: '10.77.0.11' }
  const fields = section.machineFields?.(member, seen(checks), valueOrGap)
  return section.columns?.cells({ ...member, ...fields } as never, {} as never)[0]?.text ?? ''
}

describe('rabbitmq: the status', () => {
  test('a machine whose broker accepts connections', () =>
    assert.equal(cell({ value: [check('passing')] }), 'running'))
  test('one whose broker does not', () => assert.equal(cell({ value: [check('critical')] }), 'down'))
  test('one that has none yet', () => assert.equal(cell({ value: [] }), 'not set up'))
  test('Consul does not say', () => assert.equal(cell({ why: 'no answer' }), 'unknown'))

  test('that it is local is said plainly', () => {
    const fields = section.fields?.(seen({ value: [] }), valueOrGap)
    assert.deepEqual(fields, { rabbitmq: 'local' })
    assert.match(section.notes?.(fields as never)[0] ?? '', /on that machine alone/)
  })
  test('settings that cannot be read are unknown', () =>
    assert.deepEqual(section.fields?.(seen({ value: [] }, null), valueOrGap), { rabbitmq: UNKNOWN }))
})

describe('rabbitmq: the command', () => {
  test('enable local', () => assert.equal(parseEnable('rabbitmq', ['enable', 'local']).mode, 'local'))
  for (const argv of [
    [],
    ['enable'],
    ['enable', 'on'],
    ['disable', 'local'],
    ['enable', 'local', 'x'],
    ['enable', '--force'],
  ])
    test(`${argv.join(' ')} is refused`, () =>
      assert.throws(() => parseEnable('rabbitmq', argv), { exitCode: 64 }))
})
