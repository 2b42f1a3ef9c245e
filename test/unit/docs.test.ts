/** docs/design/fencing.md against the code: every number in its table of settings is the one that is in effect. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { renderConsulAgent } from '../../lib/consul/config.ts'
import { DEFAULT_REALM } from '../../lib/consul/realm.ts'
import { HUNG_MS } from '../../lib/core/decide-answering.ts'
import { TAKE_OVER_MS } from '../../lib/postgresql/apply-commit-rule.ts'
import { renderPostgresql } from '../../lib/postgresql/config.ts'
import { renderRepmgr } from '../../lib/postgresql/config-repmgr.ts'
import { STUCK_MS } from '../../lib/postgresql/decide-disk.ts'
import {
  AGENT_AWAY_MS,
  GIVE_WAY_MS,
  SILENT_AGAIN_MS,
  SILENT_MS,
  SILENT_PEER_MS,
  TAKE_BACK_MS,
} from '../../lib/postgresql/decide-failover.ts'
import { FENCE_AFTER_MS } from '../../lib/postgresql/decide-fence.ts'
import { ALONE_AFTER_MS } from '../../lib/postgresql/decide-upkeep.ts'
import { PROBE_MS } from '../../lib/postgresql/observe-failover.ts'
import { PRIMARY_PROBE_MS, PROBE_AGAIN_MS } from '../../lib/postgresql/witness.ts'
import { renderKeepalived } from '../../lib/virtual-ip/config.ts'
import { CLAIM_MS } from '../../lib/virtual-ip/decide-weight.ts'
import { definitions } from './support/definitions.ts'

const page = readFileSync(new URL('../../docs/design/fencing.md', import.meta.url), 'utf8')
const documented = new Map(
  [...page.matchAll(/^\| `(\w+)` *\| ([\d.]+) *\|/gm)].map(([, name, value]) => [name, Number(value)]),
)

/** "300ms", "3s" and plain seconds, in milliseconds. */
function milliseconds(text: string | undefined): number {
  const [, number, unit] = /^'?([\d.]+)(ms|s)?'?$/.exec(text ?? '') ?? []
  assert.ok(number !== undefined, `no time: ${text}`)
  return unit === 'ms' ? Number(number) : Math.round(Number(number) * 1000)
}

const member = {
  node: 'n1',
  repmgrId: 1,
  address: '10.77.0.11',
  port: 5432,
  postgresqlVersion: 17,
  priority: 100,
}
const agent = JSON.parse(
  renderConsulAgent({
    ...{ node: 'n1', address: '10.77.0.11', dataDirectory: '/var/lib/consul', realm: DEFAULT_REALM },
  }),
)
const check = definitions.services.find(({ id }) => id === 'postgresql')?.checks[0] as {
  interval: string
}
const setting = (text: string, name: string): string | undefined =>
  new RegExp(`^\\s*${name}[ =]+(\\S+)`, 'm').exec(text)?.[1]
const keepalived = renderKeepalived({
  ...{ node: 'n1', interface: 'eth0', virtualIp: '10.77.0.100/24', routerId: 100, priority: 100 },
})

const databaseCheck = readFileSync(new URL('../../packaging/database-check.pl', import.meta.url), 'utf8')
const perlConstant = (name: string): number =>
  Number(new RegExp(`\\$${name} = ([0-9.]+);`).exec(databaseCheck)?.[1])

const inEffect: Readonly<Record<string, number>> = {
  probe_interval: milliseconds(agent.gossip_lan.probe_interval),
  suspicion_mult: agent.gossip_lan.suspicion_mult,
  raft_multiplier: agent.performance.raft_multiplier,
  check_interval: milliseconds(check.interval),
  LOOK_S: perlConstant('LOOK_S'),
  LOOK_AGAIN_S: perlConstant('LOOK_AGAIN_S'),
  PRIMARY_PROBE_MS,
  PROBE_AGAIN_MS,
  PROBE_MS,
  GIVE_WAY_MS,
  SILENT_PEER_MS,
  SILENT_MS,
  SILENT_AGAIN_MS,
  TAKE_BACK_MS,
  AGENT_AWAY_MS,
  FENCE_AFTER_MS,
  ALONE_AFTER_MS,
  TAKE_OVER_MS,
  CLAIM_MS,
  STUCK_MS,
  HUNG_MS,
  wal_sender_timeout: milliseconds(setting(renderPostgresql(5432, 17), 'wal_sender_timeout')),
  wal_retrieve_retry_interval: milliseconds(
    setting(renderPostgresql(5432, 17), 'wal_retrieve_retry_interval'),
  ),
  child_nodes_check_interval: milliseconds(setting(renderRepmgr(member), 'child_nodes_check_interval')),
  child_nodes_disconnect_timeout: milliseconds(
    setting(renderRepmgr(member), 'child_nodes_disconnect_timeout'),
  ),
  advert_int: milliseconds(setting(keepalived, 'advert_int')),
  preempt_delay: milliseconds(setting(keepalived, 'preempt_delay')),
}

test('the table has every setting, and no other', () => {
  assert.deepEqual([...documented.keys()].sort(), Object.keys(inEffect).sort())
})
for (const [name, value] of Object.entries(inEffect)) {
  test(`${name} is ${value}`, () => assert.equal(documented.get(name), value))
}

test('the formula for a silent machine gives what the page says', () => {
  const { probe_interval: probe = 0, suspicion_mult: suspicion = 0 } = inEffect
  assert.equal((2 + 1) * probe + suspicion * probe, 1800)
  assert.match(page, /= 1\.8 s/)
})

test('no table is wider than 160 columns', () => {
  const top = new URL('../../', import.meta.url)
  const pages = (readdirSync(new URL('docs', top), { recursive: true }) as string[])
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
  for (const file of ['README.md', ...pages])
    for (const [index, line] of readFileSync(new URL(file, top), 'utf8').split('\n').entries())
      assert.ok(
        !line.startsWith('|') || line.length <= 160,
        `${file}:${index + 1} has ${line.length} columns`,
      )
})

test('every scenario in the failure matrix exists, and every scenario is in it', async () => {
  const matrix = readFileSync(new URL('../../docs/design/failure-matrix.md', import.meta.url), 'utf8')
  const { scenarios } = await import('../lab/faults/scenarios.ts')
  const named = [...matrix.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, name]) => name)
  const names = scenarios.map(({ name }) => name)
  assert.deepEqual(
    names.filter((name) => !named.includes(name)),
    [],
  )
  const rows = [...matrix.matchAll(/\| (`[^|]*`) +\|$/gm)].flatMap(([, cell]) => [
    ...(cell ?? '').matchAll(/`([^`]+)`/g),
  ])
  for (const [, name] of rows)
    if (name !== 'NAME') assert.ok(names.includes(name ?? ''), `no scenario ${name}`)
})
