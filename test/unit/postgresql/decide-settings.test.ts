import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DurabilityMode } from '../../../lib/consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../../../lib/core/unknown.ts'
import {
  decideSettingsCheck,
  type SettingInEffect,
  settingProblems,
  unsafeOf,
} from '../../../lib/postgresql/decide-settings.ts'

const OURS = '/etc/postgresql/17/main/conf.d/understudy.conf'
const AUTO = '/var/lib/postgresql/17/main/postgresql.auto.conf'
const pinned: readonly SettingInEffect[] = [
  { name: 'fsync', value: 'on', file: OURS },
  { name: 'full_page_writes', value: 'on', file: OURS },
  { name: 'synchronous_commit', value: 'on', file: OURS },
]

const cases: readonly (readonly [
  caption: string,
  mode: DurabilityMode | Unknown,
  more: readonly SettingInEffect[],
  problems: readonly string[],
])[] = [
  ['as join sets it', 'quorum', [], []],
  [
    'fsync by ALTER SYSTEM',
    'quorum',
    [{ name: 'fsync', value: 'off', file: AUTO }],
    [
      'fsync is off: a power cut may lose acknowledged commits or make the data unusable; run "alter system reset fsync" and reload PostgreSQL',
    ],
  ],
  [
    'full_page_writes in a file of the operator',
    'strict',
    [{ name: 'full_page_writes', value: 'off', file: '/etc/postgresql/17/main/conf.d/zz.conf' }],
    [
      'full_page_writes is off: a power cut may lose acknowledged commits or make the data unusable; remove it from /etc/postgresql/17/main/conf.d/zz.conf and reload PostgreSQL',
    ],
  ],
  [
    'fsync where the server is started, in mode async as well',
    'async',
    [{ name: 'fsync', value: 'off', file: null }],
    [
      "fsync is off: a power cut may lose acknowledged commits or make the data unusable; remove it from PostgreSQL's command line and reload PostgreSQL",
    ],
  ],
  ...['off', 'OFF', 'local', 'remote_write', 'false', 'no', '0'].map(
    (value) =>
      [
        `synchronous_commit of a database: ${value}`,
        'quorum',
        [{ name: 'synchronous_commit', value, of: 'database app' }],
        [
          `synchronous_commit is ${value} for database app: acknowledged commits may be lost; run "alter database app reset synchronous_commit"`,
        ],
      ] as const,
  ),
  ...['on', 'remote_apply', 'true', 'YES', '1'].map(
    (value) =>
      [
        `synchronous_commit of a role: ${value}`,
        'quorum',
        [{ name: 'synchronous_commit', value, of: 'role app' }],
        [],
      ] as const,
  ),
  [
    'synchronous_commit in mode async is for the operator to choose',
    'async',
    [
      { name: 'synchronous_commit', value: 'off', file: AUTO },
      { name: 'synchronous_commit', value: 'off', of: 'role all' },
    ],
    [],
  ],
  [
    'synchronous_commit, and Consul does not say which mode it is',
    UNKNOWN,
    [
      { name: 'synchronous_commit', value: 'off', file: AUTO },
      { name: 'fsync', value: 'off', file: AUTO },
    ],
    [
      'fsync is off: a power cut may lose acknowledged commits or make the data unusable; run "alter system reset fsync" and reload PostgreSQL',
    ],
  ],
]

describe('settings that undo what a commit promises', () => {
  for (const [caption, mode, more, problems] of cases)
    test(caption, () => assert.deepEqual(settingProblems(unsafeOf([...pinned, ...more]), mode), problems))

  test('the check says all of them', () => {
    const { do: what, problems } = decideSettingsCheck({
      settings: [
        { name: 'fsync', value: 'off', file: AUTO },
        { name: 'synchronous_commit', value: 'local', of: 'role app in database app' },
      ],
      mode: 'quorum',
    })
    assert.equal(what, 'nothing')
    assert.equal(problems.length, 2)
  })
  test('the check says nothing of a PostgreSQL that does not answer', () =>
    assert.deepEqual(decideSettingsCheck({ settings: UNKNOWN, mode: 'quorum' }).problems, []))
})
