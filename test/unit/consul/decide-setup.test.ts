import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decideSetup, type SetupFacts } from '../../../lib/consul/decide-setup.ts'

const HASHICORP: SetupFacts = {
  command: '/usr/bin/consul agent -config-dir=/etc/consul.d/',
  files: [{ path: '/etc/consul.d/consul.hcl', text: 'data_dir = "/opt/consul"\n' }],
  type: 'exec',
}
const DEBIAN: SetupFacts = {
  command: `/usr/bin/consul agent $DAEMON_ARGS
"DAEMON_ARGS=-data-dir=/var/lib/consul -config-dir=/etc/consul.d"
# -server=true would be wrong here
DAEMON_ARGS="-data-dir=/var/lib/consul -config-dir=/etc/consul.d"
`,
  files: [{ path: '/etc/consul.d/00-log_level.hcl', text: 'log_level = "info"\n' }],
  type: 'exec',
}
const withFile = (text: string, path = '/etc/consul.d/org.hcl'): SetupFacts => ({
  ...HASHICORP,
  files: [...HASHICORP.files, { path, text }],
})
const withFlag = (flag: string): SetupFacts => ({ ...HASHICORP, command: `${HASHICORP.command} ${flag}` })

describe('where Consul keeps its data', () => {
  const cases: readonly [string, SetupFacts, string | null][] = [
    ["HashiCorp's package", HASHICORP, '/opt/consul'],
    ["Debian's package", DEBIAN, '/var/lib/consul'],
    ['another directory in a later file', withFile('data_dir = "/srv/consul"'), '/srv/consul'],
    ['in JSON', withFile('{"data_dir": "/srv/consul"}', '/etc/consul.d/z.json'), '/srv/consul'],
    ['the command line goes before the files', withFlag('-data-dir /srv/consul'), '/srv/consul'],
    ['nothing says so', { ...HASHICORP, files: [] }, null],
  ]
  for (const [caption, facts, directory] of cases)
    test(caption, () => {
      const setup = decideSetup(facts)
      assert.equal(setup.dataDirectory, directory)
      if (directory === null) assert.match(setup.why ?? '', /set data_dir/)
      else assert.equal(setup.why, null)
    })
})

describe('a Consul that is set up for something else is refused', () => {
  const settings = [
    ...['server = true', 'server = false', 'retry_join = ["10.0.0.1"]', 'start_join = ["10.0.0.1"]'],
    ...['datacenter = "org"', 'primary_datacenter = "org"', 'encrypt = "x"', 'acl { enabled = true }'],
    ...[
      'bootstrap_expect = 3',
      'bootstrap = true',
      'node_name = "x"',
      'node_id = "x"',
      'client_addr = "0.0.0.0"',
    ],
    ...['bind_addr = "0.0.0.0"', 'advertise_addr = "10.0.0.9"', 'ports { http = 8501 }', 'ca_file = "x"'],
    ...[
      'tls { defaults { verify_incoming = true } }',
      'auto_encrypt { tls = true }',
      'leave_on_terminate = true',
    ],
    ...['retry_join_wan = ["10.0.0.1"]', 'start_join_wan = []', 'performance { raft_multiplier = 5 }'],
    'something_newer = 1',
  ]
  for (const setting of settings)
    test(setting, () => {
      const name = /^\w+/.exec(setting)?.[0] ?? ''
      assert.match(decideSetup(withFile(setting)).why ?? '', new RegExp(`org.hcl sets ${name}\\)`))
    })
  for (const flag of [
    '-retry-join=10.0.0.1',
    '-join 10.0.0.1',
    '--server',
    '-datacenter=org',
    '-encrypt=x',
    '-client=0.0.0.0',
  ])
    test(flag, () => assert.match(decideSetup(withFlag(flag)).why ?? '', /consul.service runs it with -/))
  test('a file that is not to be read', () =>
    assert.match(decideSetup(withFile('{')).why ?? '', /org.hcl cannot be read/))
  test('a unit that reads another directory', () =>
    assert.match(
      decideSetup({ ...HASHICORP, command: '/usr/bin/consul agent -config-dir=/etc/consul' }).why ?? '',
      /does not read \/etc\/consul\.d/,
    ))
  test('a unit that waits for Consul to be ready', () =>
    assert.match(decideSetup({ ...HASHICORP, type: 'notify' }).why ?? '', /Type=notify/))
})

describe('what says nothing about the cluster stays', () => {
  const settings = [
    ...['log_level = "warn"', 'telemetry { disable_hostname = true }', 'ui_config { enabled = true }'],
    ...['service { name = "web" }', 'services = []', 'check { id = "disk" }', 'recursors = ["10.0.0.53"]'],
  ]
  for (const setting of settings) test(setting, () => assert.equal(decideSetup(withFile(setting)).why, null))
})
