import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DurabilityMode } from '../../../lib/consul/manifest.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { parametersIn, renderPostgresql } from '../../../lib/postgresql/config.ts'
import {
  type ConfiguredParameter,
  isEnough,
  listItems,
  mergeParameters,
  overrulings,
  type Parameter,
  settingsToMerge,
  theirParameters,
} from '../../../lib/postgresql/decide-parameters.ts'

const ours = parametersIn(renderPostgresql(5432, 17))
const OURS = '/etc/postgresql/17/main/conf.d/understudy.conf'
const AUTO = '/var/lib/postgresql/17/main/postgresql.auto.conf'
const units: Record<string, string> = {
  wal_keep_size: 'MB',
  max_slot_wal_keep_size: 'MB',
  wal_sender_timeout: 'ms',
}
const set = (name: string, value: string): Parameter => ({ name, value, unit: units[name] ?? null })
const line = (name: string, value: string, file: string): ConfiguredParameter => ({
  ...{ ...set(name, value), file, line: 1, error: null },
})

const cases: readonly (readonly [
  name: string,
  theirs: readonly string[],
  merged: string | undefined,
  mode?: DurabilityMode,
])[] = [
  ['wal_level', ['logical'], 'logical'],
  ['wal_level', ['minimal'], undefined],
  ['wal_level', ['logical', 'replica'], 'logical'],
  ['shared_preload_libraries', ['pg_stat_statements'], 'pg_stat_statements,repmgr'],
  ['shared_preload_libraries', ['timescaledb, repmgr'], 'timescaledb,repmgr'],
  ['shared_preload_libraries', [''], undefined],
  [
    'shared_preload_libraries',
    ['auth_delay', 'pg_stat_statements,repmgr'],
    'pg_stat_statements,repmgr,auth_delay',
  ],
  ['max_connections', ['500'], '500'],
  ['max_connections', ['100'], undefined],
  ['max_connections', ['400', '500'], '500'],
  ['max_connections', ['500', '400'], '500'],
  ['max_wal_senders', ['64'], '64'],
  ['wal_keep_size', ['1GB'], '1GB'],
  ['wal_keep_size', ['512'], '512'],
  ['wal_keep_size', ['64MB'], undefined],
  ['wal_keep_size', ['262145kB'], '262145kB'],
  ['max_slot_wal_keep_size', ['-1'], '-1'],
  ['max_slot_wal_keep_size', ['1GB'], '1GB'],
  ['max_slot_wal_keep_size', ['4096'], undefined],
  ['synchronous_commit', ['remote_apply'], 'remote_apply'],
  ['synchronous_commit', ['remote_apply', 'on'], 'remote_apply'],
  ['synchronous_commit', ['off'], undefined],
  ['synchronous_commit', ['off'], 'off', 'async'],
  ['fsync', ['off'], undefined],
  ['listen_addresses', ['localhost'], undefined],
  ['wal_sender_timeout', ['60s'], undefined],
  ['work_mem', ['1GB'], undefined],
]

describe('our settings and the operator’s', () => {
  for (const [name, theirs, merged, mode = 'quorum'] of cases)
    test(`${name} ${theirs.join(' and ')} (${mode}): ${merged ?? 'ours'}`, () => {
      const all = theirs.map((value) => set(name, value))
      const found = mergeParameters(ours, all, mode)
      assert.equal(found.get(name), merged)
      assert.equal(found.size, merged === undefined ? 0 : 1)
      const rendered = parametersIn(renderPostgresql(5432, 17, found))
      assert.equal(rendered.get(name), merged ?? ours.get(name), 'what is written is not what was decided')
      assert.deepEqual(mergeParameters(ours, [...all, set(name, rendered.get(name) ?? '')], mode), found)
      const value = rendered.get(name) ?? ''
      if (ours.has(name)) assert.ok(isEnough(set(name, ours.get(name) ?? ''), set(name, value), mode))
    })
})

test('what is in effect in other units, and under other names for on, is enough', () => {
  for (const [name, value, unit] of [
    ['wal_sender_timeout', '3000', 'ms'],
    ['wal_receiver_status_interval', '1', 's'],
    ['wal_keep_size', '256', 'MB'],
    ['tcp_keepalives_idle', '1', 's'],
    ['hot_standby', 'ON', null],
    ['shared_preload_libraries', 'a, repmgr ,b', null],
  ] as const)
    assert.ok(isEnough({ name, value: ours.get(name) ?? '' }, { name, value, unit }, 'quorum'), name)
  for (const [name, value, unit] of [
    ['wal_sender_timeout', '60000', 'ms'],
    ['max_wal_senders', '10', null],
    ['shared_preload_libraries', 'repmgr2', null],
    ['wal_level', 'minimal', null],
  ] as const)
    assert.ok(!isEnough({ name, value: ours.get(name) ?? '' }, { name, value, unit }, 'quorum'), name)
})

test('of the lines of the operator the last one of a name counts, and ours do not', () => {
  const lines = [
    line('max_connections', '100', '/etc/postgresql/17/main/postgresql.conf'),
    line('max_connections', '500', '/etc/postgresql/17/main/conf.d/zz.conf'),
    line('max_connections', '900', OURS),
  ]
  assert.equal(theirParameters(lines, OURS).get('max_connections')?.value, '500')
})

describe('a member that is configured anew keeps what it has from its primary', () => {
  const cluster = [
    set('wal_level', 'logical'),
    set('shared_preload_libraries', 'pg_stat_statements,repmgr'),
    set('max_connections', '500'),
    set('max_slot_wal_keep_size', '-1'),
  ]
  const merged = new Map(cluster.map(({ name, value }) => [name, value]))
  // A standby's own postgresql.conf, as Debian makes it.
  const theirs = [set('max_connections', '100'), set('wal_level', 'replica')]
  const all: readonly (readonly [caption: string, sources: Parameters<typeof settingsToMerge>[0]])[] = [
    ['the primary answers', { kept: [], theirs, primary: cluster }],
    ['the primary is away, or this machine', { kept: cluster, theirs, primary: UNKNOWN }],
    ['its own PostgreSQL is away', { kept: [], theirs: UNKNOWN, primary: cluster }],
    ['both are away', { kept: cluster, theirs: UNKNOWN, primary: UNKNOWN }],
  ]
  for (const [caption, sources] of all)
    test(caption, () => assert.deepEqual(mergeParameters(ours, settingsToMerge(sources), 'quorum'), merged))
  test('what the primary no longer has is not kept', () =>
    assert.equal(
      mergeParameters(ours, settingsToMerge({ kept: cluster, theirs, primary: [] }), 'quorum').size,
      0,
    ))
})

describe('what ALTER SYSTEM has set', () => {
  const change = (name: string, value: string, mode: DurabilityMode = 'quorum') => [
    ...overrulings(ours, [line(name, '1', OURS), line(name, value, AUTO)], mode),
  ]
  test('is completed where it is a list', () =>
    assert.deepEqual(change('shared_preload_libraries', 'pg_stat_statements, "my lib"'), [
      ['shared_preload_libraries', ['pg_stat_statements', 'my lib', 'repmgr']],
    ]))
  test('is raised where it is too small', () =>
    assert.deepEqual(change('max_connections', '100'), [['max_connections', ['300']]]))
  test('stays where it is enough', () => assert.deepEqual(change('max_connections', '1000'), []))
  test('stays where it is for the operator to choose', () =>
    assert.deepEqual(change('synchronous_commit', 'off', 'async'), []))
  test('is set right where commits rest on it', () =>
    assert.deepEqual(change('synchronous_commit', 'off'), [['synchronous_commit', ['on']]]))
  test('of another file is none of this: ours is read after it', () =>
    assert.deepEqual([...overrulings(ours, [line('max_connections', '100', '/etc/x.conf')], 'quorum')], []))
})

test('items of a list', () =>
  assert.deepEqual(listItems(' a,b , "c ""d""",$libdir/e'), ['a', 'b', 'c "d"', '$libdir/e']))
