import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rendered } from '../../golden/rendered.ts'
import { settings } from '../support/settings.ts'

/**
 * What both generations of Consul read. 1.8.7: `consul validate` in test/lab/consul.test.ts. 1.2x: the structs of
 * agent/config/config.go in hashicorp/consul at bf11280c9baf, none of which agent/config/deprecated.go names (read in November 2026).
 * An unknown key keeps an agent from starting, so a key that is new here has to be looked up in both.
 */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  Config: [
    ...['autopilot', 'bind_addr', 'bootstrap_expect', 'check_update_interval', 'client_addr', 'data_dir'],
    ...[
      'datacenter',
      'disable_host_node_id',
      'disable_update_check',
      'enable_local_script_checks',
      'gossip_lan',
    ],
    ...['leave_on_terminate', 'node_name', 'performance', 'ports', 'rejoin_after_leave', 'retry_interval'],
    ...['retry_join', 'server', 'services', 'skip_leave_on_interrupt', 'watches'],
  ],
  autopilot: ['cleanup_dead_servers', 'min_quorum', 'server_stabilization_time'],
  gossip_lan: ['gossip_interval', 'probe_interval', 'probe_timeout', 'suspicion_mult'],
  performance: ['raft_multiplier'],
  ports: ['dns', 'http', 'serf_lan', 'serf_wan', 'server'],
  services: ['checks', 'id', 'name', 'port'],
  checks: ['args', 'id', 'interval', 'name', 'status', 'tcp', 'timeout', 'ttl'],
  // api/watch: their keys are looked at by the watch itself.
  watches: ['args', 'key', 'prefix', 'service', 'stale', 'type'],
}

/** Every key with the struct that it is in. */
function* keysOf(value: unknown, struct = 'Config'): Generator<string> {
  if (Array.isArray(value)) for (const entry of value) yield* keysOf(entry, struct)
  else if (typeof value === 'object' && value !== null)
    for (const [key, below] of Object.entries(value)) {
      yield `${struct}.${key}`
      yield* keysOf(below, key)
    }
}

test('every setting that Consul is given is one that both 1.8 and 1.2x know', () => {
  const known = Object.entries(KNOWN).flatMap(([struct, keys]) => keys.map((key) => `${struct}.${key}`))
  const used = new Set(
    Object.values(rendered(settings).consul).flatMap((text) => [...keysOf(JSON.parse(text))]),
  )
  assert.deepEqual(
    [...used].filter((key) => !known.includes(key)),
    [],
  )
  assert.deepEqual(
    known.filter((key) => !used.has(key)),
    [],
    'nobody uses these any more',
  )
})
