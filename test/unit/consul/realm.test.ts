import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderConsulAgent } from '../../../lib/consul/config.ts'
import { DEFAULT_REALM, realmIn, SERVER_PORTS } from '../../../lib/consul/realm.ts'

const OTHERS = [8300, 8301, 8302, 8500, 8501, 8502, 8503, 8600]

test('an agent that has joined keeps its realm', () => {
  const agent = { node: 'n1', address: '10.77.0.11', dataDirectory: '/opt/consul' }
  for (const realm of [DEFAULT_REALM, { datacenter: 'understudy-0a1b2c3d', serverPort: 18377 }])
    assert.deepEqual(realmIn(renderConsulAgent({ ...agent, realm })), realm)
})

test('an older configuration names none, which is what Consul does without one', () => {
  assert.deepEqual(realmIn('{"server": true, "retry_join": ["10.77.0.11"]}'), DEFAULT_REALM)
  assert.deepEqual(realmIn('{"ports": {}}'), DEFAULT_REALM)
})

test('a configuration that is broken is one sentence', () => {
  for (const text of ['', '{', '7', '{"datacenter": 7}'])
    assert.throws(() => realmIn(text), { exitCode: 78, message: /restore it/ })
})

test('the ports of new clusters are none that Consul uses otherwise', () => {
  assert.deepEqual(
    OTHERS.filter((port) => port >= SERVER_PORTS.from && port <= SERVER_PORTS.to),
    [],
  )
})
